"""A sweep on its page: every trial, the best so far, and its end."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from client import Client
from client.documents import Dataset
from tests.browser.conftest import example, suits_every_reader
from tests.running_service import RunningService


def sweep_of(digits: Dataset, name: str, epochs: int, trials: int) -> dict[str, Any]:
    spec = example("digits_weighted.json") | {"dataset": digits["id"]}
    spec["learner"] = {"type": "adam", "alpha": 0.001}
    spec["training"] |= {"epochs": epochs}
    space = {
        "/learner/alpha": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
        "/learner/type": {"type": "choice", "values": ["adam", "adamax"]},
    }
    return {
        "name": name,
        "spec": spec,
        "space": space,
        "sampler": {"type": "random", "seed": 1},
        "trials": trials,
    }


def test_shows_trials_and_the_best_of_them(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    made = client.sweeps.create(sweep_of(digits, "how fast", 2, 3))
    page.goto(f"{service.url}/#/sweeps")
    page.get_by_role("link", name="how fast").click()
    # Followed to its end without being loaded again.
    expect(page.locator("main .state").first).to_have_text("completed")
    trials = page.get_by_role("region", name="Trials").locator("tbody tr")
    expect(trials).to_have_count(3)
    done = client.sweeps.get(made["id"])
    best, shown_goal = done["best"], done["goal"]["metric"].replace("_", " ")
    expect(page.get_by_role("link", name=f"trial {best['trial']}", exact=True)).to_be_visible()
    expect(trials.first.get_by_role("link")).to_have_text(str(best["trial"]))
    for title in ("By trial", "By /learner/alpha"):
        chart = page.locator(f".plot[aria-label^='{title}.']")
        expect(chart.locator(".scatterlayer path.point")).to_have_count(3)
    across = page.get_by_role("img", name=re.compile(r"^Trials across their values\. 3 trials; the best"))
    expect(across).to_have_attribute("aria-label", re.compile(f"trial {best['trial']}: /learner/alpha "))
    # Two others, each of its own shade, and the best, which is marked on each axis.
    expect(across.locator(".scatterlayer path.js-line")).to_have_count(3)
    expect(across.locator(".scatterlayer path.point")).to_have_count(3)
    for name in ("/learner/alpha", "/learner/type", shown_goal, "adam", "adamax"):
        expect(across.locator(".annotation-text").get_by_text(name, exact=True)).to_be_visible()
    suits_every_reader(page)
    trials.first.get_by_role("link").click()
    expect(page.locator(".job-head")).to_contain_text("a trial of")


def test_cancels_a_sweep(page: Page, service: RunningService, client: Client, digits: Dataset) -> None:
    made = client.sweeps.create(sweep_of(digits, "endless", 100_000, 5))
    page.goto(f"{service.url}/#/sweeps/{made['id']}")
    expect(page.get_by_role("region", name="Trials").get_by_text("running")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the sweep").click()
    expect(page.locator("main .state").first).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    assert client.sweeps.get(made["id"])["status"] == "cancelled"
