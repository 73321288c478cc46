"""A job's life, driven through the page: submitted, watched, paused, resumed, cancelled, gone on from."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from client import Client
from client.documents import Dataset
from tests.browser.conftest import example
from tests.running_service import RunningService
from trainer.layout import Volume


@pytest.fixture
def slow_spec(digits: Dataset) -> dict[str, Any]:
    """A training that lasts until somebody ends it."""
    spec = example("digits_weighted.json") | {"name": "slow", "dataset": digits["id"]}
    spec["training"] |= {"epochs": 100_000}
    spec["checkpoints"] = {"every_epochs": 50, "keep_last": 1}
    return spec


def shown_job(page: Page) -> str:
    """The id of the job whose page is shown."""
    page.wait_for_url(re.compile("#/jobs/job_"))
    return page.url.rpartition("/")[2]


def test_submits_from_an_example_and_watches_it_live(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    page.goto(f"{service.url}/#/submit")
    page.get_by_label("Start from").select_option("digits_joint")
    expect(page.get_by_label("Data set")).to_have_value(digits["id"])
    expect(page.get_by_text("The service would take this spec.")).to_be_visible()
    page.get_by_role("button", name="Submit", exact=True).click()
    job = shown_job(page)
    expect(page.get_by_role("heading", name="digits-joint")).to_be_visible()
    # Nothing is loaded again: the stream tells of the end.
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    expect(page.locator(".job-head")).to_contain_text("20 of 20 epochs")
    done = client.jobs.get(job)
    assert done["status"] == "succeeded"
    loss = page.get_by_role("img", name=re.compile(r"^Loss\. "))
    expect(loss.locator(".scatterlayer path.js-line").first).to_be_visible()
    expect(loss).to_have_attribute("aria-label", re.compile("validation: .* at last"))
    for title in ("Loss: squared error", "Classification error", "Learning rate"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.get_by_role("link", name="Results").click()
    expect(page.get_by_role("img", name=re.compile("Confusion matrix"))).to_be_visible()
    expect(page.get_by_text(done["result"]["parameters_sha256"])).to_be_visible()


def test_pauses_resumes_and_cancels(
    page: Page, service: RunningService, client: Client, slow_spec: dict[str, Any]
) -> None:
    job = client.jobs.submit(slow_spec)["id"]
    page.goto(f"{service.url}/#/jobs/{job}")
    state = page.locator(".job-head .state")
    expect(page.locator(".job-head")).to_contain_text(
        re.compile(r"epoch \d+ of 100000 · [\d,]+ samples/s · .* left")
    )

    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    expect(state).to_have_text("running")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(state).to_have_text("paused")

    page.get_by_role("button", name="Resume").click()
    expect(state).to_have_text("running")

    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_label("After a last checkpoint").check()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(state).to_have_text("cancelled")
    found = client.jobs.get(job)
    assert (found["status"], found["attempt"]) == ("cancelled", 2)
    assert found["checkpoints"] >= 1


def test_follows_the_log_as_it_is_written_into_the_next_attempt(
    page: Page, service: RunningService, client: Client, slow_spec: dict[str, Any]
) -> None:
    job = client.jobs.submit(slow_spec | {"name": "logged"})["id"]
    asked: list[str | None] = []
    page.on("request", lambda one: "/logs?" in one.url and asked.append(one.headers.get("accept")))
    page.goto(f"{service.url}/#/jobs/{job}/logs")
    attempt = page.get_by_label("Attempt")
    expect(attempt).to_have_value("1")
    client.jobs.pause(job)
    expect(page.get_by_text("attempt 1 is over.")).to_be_visible()
    expect(page.locator(".job-head .state")).to_have_text("paused")
    client.jobs.resume(job)
    expect(attempt).to_have_value("2")
    log = page.get_by_role("region", name="What was written")
    expect(log).to_contain_text("Selected CPU")
    stderr = Volume(service.home / "volume").job(job).attempt(2).stderr
    with stderr.open("a", encoding="utf-8") as written:
        written.write("a line as a library might write it\n")
    expect(log).to_contain_text("a line as a library might write it")
    client.jobs.cancel(job)
    expect(page.get_by_text("attempt 2 is over.")).to_be_visible()
    # One stream an attempt, and nothing asked again and again.
    assert asked == ["text/event-stream"] * 2
    attempt.select_option("1")
    expect(page.get_by_text("attempt 1 is over.")).to_be_visible()
    expect(log).not_to_contain_text("a line as a library might write it")


def test_the_list_keeps_the_focus_while_it_follows_its_jobs(
    page: Page, service: RunningService, client: Client, slow_spec: dict[str, Any]
) -> None:
    page.goto(service.url)
    job = client.jobs.submit(slow_spec | {"name": "watched"})["id"]
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="watched"))
    expect(row).to_contain_text(re.compile("epoch .* of 100000"))
    row.get_by_role("checkbox").focus()
    client.jobs.cancel(job)
    expect(row).to_contain_text("cancelled")
    expect(row.get_by_role("checkbox")).to_be_focused()
    assert page.get_by_role("columnheader").all_inner_texts()[1:3] == ["Job", "State"]


def test_pins_a_checkpoint_and_resumes_from_it(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    spec = example("digits_recipe.json") | {"name": "first", "dataset": digits["id"]}
    spec["training"] |= {"epochs": 4}
    first = client.jobs.wait(client.jobs.submit(spec)["id"])
    page.goto(f"{service.url}/#/jobs/{first['id']}/checkpoints")
    saved = client.jobs.checkpoints(first["id"])[-1]
    page.get_by_role("button", name=f"Pin the checkpoint at {saved['samples']} samples").click()
    expect(
        page.get_by_role("button", name=f"Unpin the checkpoint at {saved['samples']} samples")
    ).to_be_focused()
    assert client.jobs.checkpoints(first["id"])[-1]["pinned"]

    page.get_by_role("link", name=f"Resume from here at {saved['samples']} samples").click()
    # The budget is used up: the service says where, and the page takes one there.
    page.get_by_role("button", name="/training/epochs").click()
    page.keyboard.type("6")
    expect(page.get_by_text("The service would take this spec.")).to_be_visible()
    page.get_by_role("button", name="Submit the new job").click()
    second = shown_job(page)
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    found = client.jobs.get(second)
    assert (found["resumed_from"]["job"], found["resumed_from"]["mode"]) == (first["id"], "exact")
    assert found["progress"]["epoch"] == 6

    page.get_by_role("link", name="Lineage").click()
    expect(page.locator("ol.lineage > li")).to_have_count(2)
    page.get_by_role("link", name="Spec").click()
    expect(page.get_by_role("row", name="/training/epochs 4 6")).to_be_visible()
    page.goto(f"{service.url}/#/jobs/{first['id']}/spec")
    posted = page.get_by_role("region", name="The spec as it was posted")
    expect(posted).to_contain_text('"type": "joint_autoencoder_classifier"')
    assert client.jobs.posted(first["id"])["recipe"]["type"] == "joint_autoencoder_classifier"
    expect(page.get_by_role("region", name="The spec", exact=True)).to_contain_text('"network"')


def test_downloads_and_forks_a_checkpoint_which_the_lineage_then_shows(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    spec = example("digits_weighted.json") | {"name": "origin", "dataset": digits["id"]}
    spec["training"] |= {"epochs": 2}
    first = client.jobs.wait(client.jobs.submit(spec)["id"])["id"]
    saved = client.jobs.checkpoints(first)[-1]
    page.goto(f"{service.url}/#/jobs/{first}/checkpoints")
    row = page.locator("tbody tr").first
    row.get_by_text("Files").click()
    wanted = saved["files"][0]
    with page.expect_download() as download:
        row.get_by_role("button", name=wanted["path"]).click()
    assert download.value.suggested_filename == wanted["path"]
    content = download.value.path().read_bytes()
    assert len(content) == wanted["size"]

    page.get_by_role("link", name=f"Fork from here at {saved['samples']} samples").click()
    expect(page.get_by_text("The service would take this spec.")).to_be_visible()
    page.get_by_role("button", name="Submit the new job").click()
    second = shown_job(page)
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    started = client.jobs.get(second)["resumed_from"]
    assert (started["job"], started["mode"], started["samples"]) == (first, "weights", saved["samples"])

    page.get_by_role("link", name="Lineage").click()
    page.locator("ol.lineage").get_by_role("link", name="origin").click()
    page.get_by_role("link", name="Lineage").click()
    expect(page.locator("ul.lineage > li")).to_have_count(1)
    expect(page.locator("ul.lineage > li")).to_contain_text(f"weights from {first}@{saved['samples']}")


def test_retries_a_job_that_failed_and_evaluates_it(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    spec = example("digits_weighted.json") | {"name": "runs away", "dataset": digits["id"]}
    spec["learner"] = {"type": "sgd", "learning_rate": 1e30}
    spec["training"] |= {"epochs": 2}
    job = client.jobs.wait(client.jobs.submit(spec)["id"])
    assert job["status"] == "failed", job["detail"]
    page.goto(f"{service.url}/#/jobs/{job['id']}")
    page.get_by_role("button", name="Retry").click()
    dialog = page.get_by_role("dialog", name="Try this job again?")
    dialog.get_by_label("Go on from").select_option("start")
    dialog.get_by_label("Learning rate").fill("0.01")
    dialog.get_by_role("button", name="Retry").click()
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    assert client.jobs.get(job["id"])["attempt"] == 2

    page.get_by_role("button", name="Evaluate").click()
    page.get_by_role("dialog").get_by_label("Split").select_option("train")
    page.get_by_role("dialog").get_by_role("button", name="Evaluate").click()
    expect(page.locator(".job-head .tag", has_text="evaluation")).to_be_visible()
    expect(page.locator(".job-head .state")).to_have_text("succeeded")
    expect(page.get_by_role("columnheader", name="training")).to_be_visible()
    made = client.jobs.get(shown_job(page))
    assert (made["kind"], made["resumed_from"]["job"]) == ("evaluation", job["id"])


def test_forks_a_job_and_cancels_what_a_filter_finds(
    page: Page, service: RunningService, client: Client, slow_spec: dict[str, Any]
) -> None:
    first = client.jobs.submit(slow_spec | {"name": "to fork"})["id"]
    page.goto(f"{service.url}/#/jobs/{first}")
    page.get_by_role("link", name="Fork", exact=True).click()
    editor = page.get_by_label("The spec, as JSON")
    expect(page.get_by_text("The service would take this spec.")).to_be_visible()
    editor.fill(
        editor.input_value().replace('"epochs": 100000', '"epochs": 90000').replace("to fork", "forked")
    )
    expect(page.get_by_text("The service would take this spec.")).to_be_visible()
    page.get_by_role("button", name="Submit the new job").click()
    expect(page.get_by_role("heading", name="forked")).to_be_visible()
    second = client.jobs.get(shown_job(page))
    assert second["forked_from"]["patch"] == {"name": "forked", "training": {"epochs": 90000}}
    page.get_by_role("link", name="Spec").click()
    expect(page.get_by_role("row", name="/training/epochs 100000 90000")).to_be_visible()

    page.goto(f"{service.url}/#/jobs?name=fork")
    expect(page.locator(".jobs tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Cancel these…").click()
    page.get_by_role("dialog", name="Cancel 2 jobs?").get_by_role("button", name="Cancel 2").click()
    expect(page.locator(".jobs .state", has_text="cancelled")).to_have_count(2)
    assert {client.jobs.wait(job)["status"] for job in (first, second["id"])} == {"cancelled"}


def test_compares_jobs_chosen_from_the_list(
    page: Page, service: RunningService, client: Client, digits: Dataset
) -> None:
    spec = example("digits_weighted.json") | {"dataset": digits["id"]}
    spec["training"] |= {"epochs": 3}
    for name, rate in (("slower", 0.0001), ("faster", 0.01)):
        client.jobs.wait(
            client.jobs.submit(spec | {"name": name, "learner": {"type": "adam", "alpha": rate}})["id"]
        )
    page.goto(service.url)
    page.get_by_role("checkbox", name="Compare slower").check()
    page.get_by_role("checkbox", name="Compare faster").check()
    page.get_by_role("link", name="Compare 2 jobs").click()
    chart = page.get_by_role("img", name=re.compile(r"^Loss\. "))
    expect(chart.locator(".scatterlayer path.js-line")).to_have_count(2)
    page.get_by_role("list", name="Series of Loss", exact=True).get_by_role("button", name="slower").click()
    expect(chart.locator(".scatterlayer path.js-line")).to_have_count(1)
    expect(page.get_by_role("row", name="/learner/alpha/rate 0.0001 0.01")).to_be_visible()
