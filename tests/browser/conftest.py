"""The whole service on real CNTK, and a real Chromium that looks at its dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from client import Client
from client.demo import write_digits
from client.documents import Dataset
from tests.chromium import NAMES, chromium, installed
from tests.running_service import ROOT, RunningService

LIMIT_MS = 60_000

expect.set_options(timeout=LIMIT_MS)


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = RunningService(tmp_path_factory.mktemp("service")).wait_ready()
    yield service
    assert service.stop() == 0, service.said()


@pytest.fixture(scope="session")
def client(service: RunningService) -> Iterator[Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="session")
def digits(client: Client, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    write_digits(path)
    return client.datasets.add(path, **example("options/digits.json"))


def example(name: str) -> dict[str, Any]:
    """A document of ``examples/``."""
    return dict(json.loads((ROOT / "examples" / name).read_text(encoding="utf-8")))


# For a module, not for all: while it is up, this thread runs an event loop, which others would trip over.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium without a window; the test is skipped where there is none."""
    if installed() is None:
        pytest.skip(f"no {' or '.join(NAMES)} on this machine")
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own for a test, which fails with any error that the page's code raises."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.extend(broken_policy(message)))
    yield page
    context.close()
    assert not errors


def broken_policy(message: ConsoleMessage) -> list[str]:
    """What the page's content security policy refused.

    plotly.js brings a style for maps, which we have none of: that it is refused does no harm.
    """
    refused = "Content Security Policy" in message.text
    return [message.text] if refused and not message.location["url"].endswith("plotly.min.js") else []


def wait_until(page: Page, condition: str) -> None:
    """Wait until an expression holds in the page; an error after the usual limit.

    ``page.wait_for_function`` looks once, then has the page evaluate a text, which its policy refuses.
    """
    page.evaluate(
        f"""() => new Promise((resolve, reject) => {{
            const look = () => ({condition}) ? resolve() : setTimeout(look, 50);
            setTimeout(() => reject(new Error("it never held")), {LIMIT_MS});
            look();
        }})"""
    )


def suits_every_reader(page: Page) -> None:
    """What is shown is readable, in both colours and on a narrow screen too."""
    for scheme, width in (("light", 1280), ("dark", 400)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        # Charts follow the window's width a little later.
        wait_until(page, "document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        assert page.locator(".top").evaluate("(top) => top.getBoundingClientRect().right") == width
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.set_viewport_size({"width": 1280, "height": 900})
