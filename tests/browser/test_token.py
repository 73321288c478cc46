"""A service that asks for a token: typed once, sent with everything, forgotten on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jobs.settings import Settings
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


@pytest.fixture
def address(valkey: ValkeyServer, tmp_path: Path) -> Iterator[str]:
    with running_api(Settings(home=tmp_path, redis_url=valkey.url, api_tokens="the-token")) as client:
        yield str(client.base_url)


def test_asks_for_the_token_once(page: Page, address: str) -> None:
    page.goto(address)
    dialog = page.get_by_role("dialog", name="A token is needed")
    dialog.get_by_label("Token").fill("another")
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog).to_contain_text("does not know the token")
    dialog.get_by_label("Token").fill("the-token")
    dialog.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("No job yet.")).to_be_visible()
    page.get_by_role("link", name="Workers").click()
    expect(page.get_by_text("No worker was heard of lately.")).to_be_visible()
    assert page.evaluate("localStorage.length") == 0
    page.reload()
    expect(page.get_by_role("heading", name="Workers")).to_be_visible()
    page.get_by_role("button", name="Forget token").click()
    expect(page.get_by_role("dialog", name="A token is needed")).to_be_visible()


def test_says_so_without_one(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("alert")).to_contain_text("Bearer")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog", name="A token is needed")).to_be_visible()
