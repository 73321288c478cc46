"""The main job over HTTP: train, resume exactly, survive, refuse."""

from pathlib import Path
from typing import Any

import pytest

from client import Client, JobsApiError
from client.demo import mid_run
from client.documents import Dataset, Job
from tests.running_service import RunningService, until

Spec = dict[str, Any]


def trained(client: Client, spec: Spec) -> Job:
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=300)
    assert job["status"] == "succeeded", (job["reason"], job["detail"], client.jobs.logs(job["id"])["lines"])
    return job


def parameters(job: Job) -> str:
    assert job["result"] is not None
    digest = job["result"]["parameters_sha256"]
    assert digest is not None
    return digest


@pytest.fixture(scope="module")
def uninterrupted(client: Client, digits_spec: Spec) -> Job:
    return trained(client, digits_spec)


def test_a_weighted_job_trains_and_says_how(client: Client, uninterrupted: Job, digits: Dataset) -> None:
    job = uninterrupted
    rows = digits["splits"]["train"]["rows"]
    assert job["reason"] == "completed"
    assert job["attempt"] == 1
    assert job["progress"]["samples"] == 10 * rows
    error = job["metrics"]["valid"]["classification_error"]
    assert error is not None
    assert error < 0.1
    # Weighted and plain loss are both told, and differ: some digits weigh double.
    losses = job["losses"]["valid"]
    assert losses["total"] != losses["total_unweighted"]
    assert job["timings"]["training_s"] > 0

    events = client.jobs.events(job["id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    assert kinds.count("epoch") == 10
    metrics = client.jobs.metrics(job["id"])
    assert len(metrics["epochs"]) == 10


def test_a_second_job_continues_exactly(
    client: Client, uninterrupted: Job, digits_spec: Spec, digits: Dataset
) -> None:
    middle = mid_run(client.jobs.checkpoints(uninterrupted["id"]), digits["splits"]["train"]["rows"])
    start = {"job": uninterrupted["id"], "checkpoint": middle["id"], "mode": "exact"}
    resumed = trained(client, {**digits_spec, "start_from": start})
    assert resumed["resumed_from"] == {
        "job": uninterrupted["id"],
        "checkpoint": middle["id"],
        "mode": "exact",
        "step": middle["step"],
        "samples": middle["samples"],
        "epoch": middle["epoch"],
    }
    assert parameters(resumed) == parameters(uninterrupted)
    assert resumed["metrics"] == uninterrupted["metrics"]


def test_other_settings_cannot_be_continued_exactly(
    client: Client, uninterrupted: Job, digits_spec: Spec
) -> None:
    changed = {
        **digits_spec,
        "learner": {"type": "adam", "alpha": 0.002},
        "start_from": {"job": uninterrupted["id"], "checkpoint": "latest", "mode": "exact"},
    }
    with pytest.raises(JobsApiError) as caught:
        client.jobs.submit(changed)
    assert caught.value.status == 409
    pointers = [difference["pointer"] for difference in caught.value.extra["differences"]]
    assert pointers == ["/learner/alpha/rate"]


@pytest.mark.parametrize("component", ["worker-1", "api", "server"])
def test_kill_9_in_mid_run_ends_in_the_same_bits(
    service: RunningService, client: Client, uninterrupted: Job, digits_spec: Spec, component: str
) -> None:
    job = client.jobs.submit({**digits_spec, "name": f"kill {component}"})
    until(lambda: client.jobs.checkpoints(job["id"]) or None, "a checkpoint")
    service.kill(component)
    ended = client.jobs.wait(job["id"], timeout=300)
    assert ended["status"] == "succeeded", (ended["reason"], ended["detail"])
    assert parameters(ended) == parameters(uninterrupted)
    if component == "worker-1":
        assert ended["attempt"] == 2


def test_a_cancelled_job_stays_cancelled(client: Client, digits_spec: Spec) -> None:
    job = client.jobs.submit({**digits_spec, "training": digits_spec["training"] | {"epochs": 5000}})
    until(lambda: client.jobs.get(job["id"])["progress"].get("samples"), "the first minibatch")
    client.jobs.cancel(job["id"])
    ended = client.jobs.wait(job["id"], timeout=60)
    assert (ended["status"], ended["reason"]) == ("cancelled", "cancel_requested")


def test_a_loss_that_is_no_number_ends_the_job_as_diverged(client: Client, digits_spec: Spec) -> None:
    spec = {**digits_spec, "learner": {"type": "sgd", "learning_rate": 1e30}}
    ended = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=120)
    assert (ended["status"], ended["reason"]) == ("failed", "diverged")
    assert ended["detail"]


def test_everything_that_is_wrong_with_a_spec_is_said_at_once(client: Client, digits_spec: Spec) -> None:
    before = len(client.jobs.list())
    broken = {
        **digits_spec,
        "network": [
            {"name": "code", "type": "dence", "units": 10, "input": "pixels"},
            {"name": "scores", "type": "dense", "units": 0, "input": "code"},
        ],
        "training": {"epochs": -1},
        "colour": "green",
    }
    with pytest.raises(JobsApiError) as caught:
        client.jobs.submit(broken)
    assert caught.value.status == 422
    assert caught.value.type == "invalid-input"
    said = {error["pointer"]: error["detail"] for error in caught.value.errors}
    assert set(said) == {"/network/0/type", "/network/1/units", "/training/epochs", "/colour"}
    assert "dense" in said["/network/0/type"]
    assert len(client.jobs.list()) == before


def test_a_shape_that_does_not_fit_names_both_shapes(client: Client, digits_spec: Spec) -> None:
    network = [
        *digits_spec["network"][:-1],
        {"name": "scores", "type": "dense", "units": 9, "input": "sparse_code"},
    ]
    with pytest.raises(JobsApiError) as caught:
        client.jobs.submit({**digits_spec, "network": network})
    assert any("9" in error["detail"] and "10" in error["detail"] for error in caught.value.errors)


def test_validating_creates_nothing(client: Client, digits_spec: Spec) -> None:
    before = len(client.jobs.list())
    answer = client.jobs.validate(digits_spec)
    assert answer["estimate"]["parameters"] == 32 * 9 + 32 + 512 * 128 + 128 + 128 * 10 + 10
    assert answer["spec"]["checkpoints"]["keep_best"] == 1
    assert len(client.jobs.list()) == before


def test_the_same_bytes_are_the_same_data_set(
    client: Client, digits: Dataset, digits_file: Path, digits_spec: Spec
) -> None:
    again = client.datasets.add(
        digits_file,
        name="digits",
        fields={"digit": {"kind": "categorical"}},
        splits={"fractions": {"valid": 0.2}, "seed": 1},
    )
    assert again["id"] == digits["id"]


def test_a_worker_tells_what_it_trains_on(client: Client) -> None:
    # One that was killed a moment ago may still be listed beside its successor.
    assert {worker["trainer"]["cntk_version"] for worker in client.workers()} == {"2.7"}
