"""Extending a finished job, and going on at another rate, over HTTP and on real CNTK."""

from typing import Any

import pytest

from client import Client, JobsApiError
from client.command import OK, main
from client.documents import Dataset, Job
from tests.acceptance.conftest import example
from tests.running_service import RunningService

Spec = dict[str, Any]


@pytest.fixture
def spec(digits: Dataset) -> Spec:
    return example("digits_weighted.json") | {"dataset": digits["id"], "name": "continuing"}


def budget(spec: Spec, epochs: int, **more: Any) -> Spec:
    return spec | {"training": spec["training"] | {"epochs": epochs, **more}}


def start(job: Job, mode: str) -> Spec:
    return {"start_from": {"job": job["id"], "checkpoint": "latest", "mode": mode}}


def trained(client: Client, spec: Spec) -> Job:
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=300)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    return job


def parameters(job: Job) -> str:
    assert job["result"] is not None
    digest = job["result"]["parameters_sha256"]
    assert digest is not None
    return digest


def refused(client: Client, spec: Spec) -> str:
    with pytest.raises(JobsApiError) as caught:
        client.jobs.submit(spec)
    assert caught.value.status == 422
    assert "nothing is left to train" in caught.value.detail
    return str(caught.value.errors[0]["pointer"])


def test_a_finished_job_is_extended_and_then_slowed_down(
    service: RunningService, client: Client, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    short = trained(client, budget(spec, 2))
    assert refused(client, budget(spec, 2) | start(short, "exact")) == "/training/epochs"
    longer = trained(client, budget(spec, 3) | start(short, "exact"))
    assert parameters(longer) == parameters(trained(client, budget(spec, 3)))

    slow = spec | {"learner": {"type": "adam", "alpha": 1e-5}}
    slower = trained(client, budget(slow, 4) | start(longer, "continue"))
    assert parameters(slower) != parameters(trained(client, budget(spec, 4) | start(longer, "continue")))

    found = client.jobs.lineage(slower["id"])
    assert [(one["job"], one["mode"]) for one in found] == [
        (slower["id"], "continue"),
        (longer["id"], "exact"),
        (short["id"], None),
    ]
    assert {one["status"] for one in found} == {"succeeded"}
    assert [change["pointer"] for one in found for change in one["changed"] or ()] == [
        "/learner/alpha/rate",
        "/training/epochs",
        "/training/epochs",
    ]
    assert main(["--url", service.url, "lineage", slower["id"]]) == OK
    assert "/learner/alpha/rate" in capsys.readouterr().out


def test_a_job_that_was_stopped_early_needs_more_patience(client: Client, spec: Spec) -> None:
    """No epoch betters the first by so much: it ends after the second."""
    impatient = {"patience": 1, "min_delta": 1000.0}
    stopped = trained(client, budget(spec, 5, early_stopping=impatient))
    assert stopped["reason"] == "early_stopped"
    further = start(stopped, "exact")
    pointer = refused(client, budget(spec, 9, early_stopping=impatient) | further)
    assert pointer == "/training/early_stopping/patience"

    patient = impatient | {"patience": 2}
    reopened = trained(client, budget(spec, 5, early_stopping=patient) | further)
    planned = trained(client, budget(spec, 5, early_stopping=patient))
    assert (reopened["reason"], planned["reason"]) == ("early_stopped", "early_stopped")
    assert parameters(reopened) == parameters(planned)
    assert trained(client, budget(spec, 3) | further)["reason"] == "completed"
