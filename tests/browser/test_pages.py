"""Every place of the dashboard: readable for everybody, on any screen, by itself."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from client import Client
from client.documents import Dataset
from tests.browser.conftest import example
from tests.running_service import RunningService

PARTS = ("curves", "checkpoints", "results", "spec", "lineage", "logs", "history")
PLACES = (
    "jobs",
    "submit",
    "compare",
    "datasets",
    "models",
    "workers",
    *(f"jobs/JOB/{part}" for part in PARTS),
)

# The network is never idle: a stream of events stays open.
QUIET = """() => new Promise((resolve) => {
    let timer = setTimeout(resolve, 600);
    new MutationObserver(() => (clearTimeout(timer), (timer = setTimeout(resolve, 600))))
        .observe(document.body, { subtree: true, childList: true, attributes: true });
})"""


@pytest.fixture(scope="module")
def jobs(client: Client, digits: Dataset) -> list[str]:
    """Two trainings, the second going on from the first."""
    spec = example("digits_joint.json") | {"name": "digits", "dataset": digits["id"]}
    spec["training"] |= {"epochs": 4}
    first = client.jobs.wait(client.jobs.submit(spec)["id"])["id"]
    start = {"job": first, "checkpoint": "latest", "mode": "exact"}
    longer = spec | {
        "name": "digits-longer",
        "training": spec["training"] | {"epochs": 6},
        "start_from": start,
    }
    return [first, client.jobs.wait(client.jobs.submit(longer)["id"])["id"]]


def visit(page: Page, service: RunningService, place: str, jobs: list[str]) -> None:
    """Open a place and wait until nothing on it changes any more."""
    address = place.replace("JOB", jobs[1]) + (f"?jobs={','.join(jobs)}" if place == "compare" else "")
    page.goto(f"{service.url}/#/{address}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.evaluate(QUIET)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 400)])
@pytest.mark.parametrize("place", PLACES)
def test_suits_every_reader_and_every_screen(
    page: Page,
    service: RunningService,
    jobs: list[str],
    place: str,
    scheme: Literal["light", "dark"],
    width: int,
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    visit(page, service, place, jobs)
    for closed in page.locator("details:not([open]) > summary").all():
        if closed.is_visible():
            closed.click()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_asks_no_other_host(page: Page, service: RunningService, jobs: list[str]) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    for place in ("jobs", "jobs/JOB/curves", "submit"):
        visit(page, service, place, jobs)
    expect(page.get_by_text("The service would take this spec.")).to_be_visible()
    assert asked == {urlsplit(service.url).netloc}


def test_filters_the_list_and_keeps_them_in_the_address(
    page: Page, service: RunningService, jobs: list[str]
) -> None:
    page.goto(service.url)
    page.get_by_label("failed").check()
    expect(page.get_by_text("No job fits these filters.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("failed")).to_be_checked()
    page.get_by_label("failed").uncheck()
    page.get_by_label("succeeded").check()
    expect(page.get_by_role("link", name="digits-longer")).to_be_visible()
    assert page.url.endswith("#/jobs?status=succeeded")


def line_of(editor: Locator, text: str) -> str:
    """The number of the line that has this in it."""
    return str(next(n for n, line in enumerate(editor.input_value().split("\n"), 1) if text in line))


def test_shows_every_fault_of_a_spec_by_its_pointer(
    page: Page, service: RunningService, jobs: list[str]
) -> None:
    visit(page, service, "submit", jobs)
    editor = page.get_by_label("The spec, as JSON")
    spec = editor.input_value()
    editor.fill(spec.replace('"pixels"', '"pixel"').replace('"minibatch_size": 32', '"minibatch_size": 0'))
    fault = page.get_by_role("button", name="/training/minibatch_size")
    expect(fault).to_be_visible()
    marked = page.locator(".line-numbers .wrong")
    name, number = line_of(editor, '"pixel"'), line_of(editor, '"minibatch_size"')
    expect(marked).to_have_text([name, number])
    expect(fault).to_contain_text(f"line {number}")
    expect(page.get_by_role("button", name="Submit", exact=True)).to_be_disabled()
    fault.click()
    selected = "([from, to]) => document.querySelector('textarea').value.slice(from, to)"
    ends = (
        "[document.querySelector('textarea').selectionStart, document.querySelector('textarea').selectionEnd]"
    )
    assert page.evaluate(selected, page.evaluate(ends)) == "0"
    # The name that would be right is told.
    editor.fill(spec.replace('"pixels"', '"pixel"'))
    expect(page.get_by_role("button", name="/recipe/input")).to_contain_text("'pixels'")
    expect(marked).to_have_text([name])
    editor.fill("{")
    expect(page.get_by_text("This is no JSON")).to_be_visible()


def test_says_what_is_not_there(page: Page, service: RunningService, jobs: list[str]) -> None:
    page.goto(f"{service.url}/#/jobs/job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE")
    expect(page.get_by_role("alert")).to_contain_text("There is no job 'job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE'")
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)


def test_changes_colours_and_remembers(page: Page, service: RunningService, jobs: list[str]) -> None:
    page.goto(service.url)
    page.get_by_role("button", name="Show in dark colours").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_is_driven_by_the_keyboard(page: Page, service: RunningService, jobs: list[str]) -> None:
    page.goto(service.url)
    expect(page.get_by_role("link", name="digits-longer")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.get_by_role("link", name="digits-longer").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="digits-longer")).to_be_visible()
    page.get_by_role("link", name="Checkpoints").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Checkpoints")).to_be_focused()
    expect(page.get_by_role("link", name="Checkpoints")).to_have_attribute("aria-current", "page")
