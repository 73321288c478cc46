"""The curves of a job: scale, smoothing, zoom, and numbers for those who do not see them."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from client import Client
from client.documents import Dataset
from tests.browser.conftest import example, wait_until
from tests.running_service import RunningService

SERIES = "(plot, name) => plot.data.find((one) => one.name === name)"


def first_values(page: Page, name: str) -> list[Any]:
    found = page.locator(".plot").first.evaluate(f"(plot, name) => ({SERIES})(plot, name).y", name)
    return list(found)


def test_curves_are_scaled_smoothed_zoomed_and_told(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    spec = example("digits_joint.json") | {"name": "curves", "dataset": digits["id"]}
    spec["training"] |= {"epochs": 5}
    job = client.jobs.wait(client.jobs.submit(spec)["id"])
    page.goto(f"{service.url}/#/jobs/{job['id']}")
    plots = page.locator(".plot")
    expect(plots.first.locator("path.js-line").first).to_be_visible()
    truth = [point["losses"]["valid"]["total"] for point in client.jobs.metrics(job["id"])["epochs"]]
    assert first_values(page, "validation") == truth

    page.get_by_role("button", name="Log scale").click()
    expect(page.get_by_role("button", name="Log scale")).to_have_attribute("aria-pressed", "true")
    wait_until(page, "document.querySelector('.plot').layout.yaxis.type === 'log'")

    page.get_by_label("Smoothing").fill("0.8")
    wait_until(page, f"({SERIES})(document.querySelector('.plot'), 'validation').y[4] > {truth[4]} * 1.05")
    assert first_values(page, "validation")[0] == truth[0]

    page.get_by_label("Along the horizontal axis").select_option("epoch")
    wait_until(page, f"({SERIES})(document.querySelector('.plot'), 'validation').x[4] === 5")

    box = plots.first.locator(".nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 60, steps=4)
    page.mouse.up()
    # One chart is zoomed, all of them follow.
    zoomed = "[...document.querySelectorAll('.plot')].every((one) => one.layout.xaxis.range[0] > 1.5)"
    wait_until(page, zoomed)
    page.get_by_role("button", name="Whole course").click()
    wait_until(page, "[...document.querySelectorAll('.plot')].every((one) => one.layout.xaxis.range[0] < 1)")

    page.get_by_text("The numbers, epoch by epoch").click()
    rows = page.get_by_role("region", name="Numbers by epoch").locator("tbody tr")
    expect(rows).to_have_count(5)


def test_edits_tags_which_the_list_then_finds(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    spec = example("digits_recipe.json") | {"name": "tagged", "dataset": digits["id"]}
    spec["training"] |= {"epochs": 1}
    job = client.jobs.wait(client.jobs.submit(spec)["id"])
    page.goto(f"{service.url}/#/jobs/{job['id']}")
    page.get_by_role("button", name="Edit").click()
    page.get_by_role("dialog").get_by_label("Tags").fill("study:rate nightly")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".job-head .tag", has_text="study:rate")).to_be_visible()
    page.goto(f"{service.url}/#/jobs?tag=nightly+study:rate")
    expect(page.locator(".jobs tbody tr")).to_have_count(1)
    page.get_by_label("Tags").fill("nightly other")
    expect(page.get_by_text("No job fits these filters.")).to_be_visible()
    page.get_by_label("Where").fill("metrics.nothing>1")
    expect(page.get_by_role("alert")).to_contain_text("nothing")
