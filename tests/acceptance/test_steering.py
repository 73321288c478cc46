"""Pausing, and retrying at a smaller rate, on real CNTK: the bits are those of an undisturbed job."""

from __future__ import annotations

import json
from typing import Any

import pytest

from client import Client
from client.command import JOB_DID_NOT_SUCCEED, OK, REFUSED, main
from client.documents import Job
from tests.running_service import RunningService, until

Spec = dict[str, Any]


def ended(client: Client, job: Job) -> Job:
    return client.jobs.wait(job["id"], timeout=300)


def parameters(job: Job) -> str:
    assert job["result"] is not None, (job["reason"], job["detail"])
    digest = job["result"]["parameters_sha256"]
    assert digest is not None
    return digest


def test_a_paused_job_ends_in_the_same_bits(
    service: RunningService, client: Client, digits_spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = digits_spec | {
        "training": digits_spec["training"] | {"epochs": 40},
        "checkpoints": {"every_epochs": 40},
    }
    undisturbed = ended(client, client.jobs.submit(spec))
    job = client.jobs.submit(spec)
    until(lambda: client.jobs.get(job["id"])["first_minibatch_at"], "the first minibatch")
    command = ["--url", service.url]
    assert main([*command, "pause", job["id"]]) == OK
    paused = until(
        lambda: found if (found := client.jobs.get(job["id"]))["status"] == "paused" else None, "the pause"
    )
    [checkpoint] = client.jobs.checkpoints(job["id"])
    assert 0 < checkpoint["samples"] < undisturbed["result"]["samples"]  # type: ignore[index]
    assert paused["reason"] == "pause_requested"
    assert main([*command, "resume", job["id"]]) == OK
    assert parameters(ended(client, job)) == parameters(undisturbed)
    assert main([*command, "pause", job["id"]]) == REFUSED
    assert "has already ended: it succeeded" in capsys.readouterr().err


def test_a_job_that_diverged_is_retried_at_a_smaller_rate(
    service: RunningService, client: Client, digits_spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    def at(rate: float) -> Spec:
        return digits_spec | {
            "learner": {"type": "sgd", "learning_rate": rate},
            "training": digits_spec["training"] | {"epochs": 2},
        }

    diverged = ended(client, client.jobs.submit(at(1e30)))
    assert (diverged["status"], diverged["reason"], diverged["attempt"]) == ("failed", "diverged", 1)
    command = ["--url", service.url, "retry", diverged["id"], "--follow", "--json"]
    assert main(command) == JOB_DID_NOT_SUCCEED
    assert json.loads(capsys.readouterr().out)["attempt"] == 2
    assert main([*command, "--checkpoint", "start", "--learning-rate", "0.01"]) == OK
    retried = json.loads(capsys.readouterr().out)
    assert (retried["status"], retried["attempt"]) == ("succeeded", 3)
    small = ended(client, client.jobs.submit(at(0.01)))
    assert parameters(retried) == parameters(small)
    assert retried["fingerprint"] == small["spec"]["fingerprint"]  # type: ignore[index]
    words = client.jobs.logs(diverged["id"], attempt=1)
    assert words["attempt"] == 1
