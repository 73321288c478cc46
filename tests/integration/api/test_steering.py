"""Pause, resume, retry and cancel over HTTP. No worker runs here."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import Run, pointers, submit
from tests.practice_trainer import publish
from trainer.files import read_json


def ask(api: httpx.Client, job_id: str, action: str, **body: Any) -> httpx.Response:
    return api.post(f"/v1/jobs/{job_id}/{action}", **({"json": body} if body else {}))


def test_pause_and_resume(api: httpx.Client, spec: dict[str, Any]) -> None:
    job_id = submit(api, spec)["id"]
    for action, status in [
        ("pause", "paused"),
        ("pause", "paused"),
        ("resume", "queued"),
        ("resume", "queued"),
    ]:
        answer = ask(api, job_id, action)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert [job["id"] for job in api.get("/v1/jobs?status=queued").json()["items"]] == [job_id]


def test_pause_of_a_running_job(api: httpx.Client, run: Run) -> None:
    assert ask(api, run.id, "pause").json()["pause_requested"] is True
    run.end(State.PAUSED, Reason.PAUSE_REQUESTED)
    assert api.get("/v1/jobs?status=paused").json()["items"][0]["id"] == run.id
    [attempt] = api.get(f"/v1/jobs/{run.id}/attempts").json()["items"]
    assert (attempt["outcome"], attempt["reason"]) == ("paused", "pause_requested")


def test_cancel_that_saves(api: httpx.Client, run: Run, store: Store) -> None:
    assert ask(api, run.id, "cancel?checkpoint=save").json()["cancel_requested"] is True
    assert store.get(run.id).cancel_saves
    assert pointers(ask(api, run.id, "cancel?checkpoint=keep"), 422) == {"/query/checkpoint"}


@pytest.mark.parametrize("action", ["pause", "resume", "retry"])
def test_once_it_has_ended(api: httpx.Client, run: Run, action: str) -> None:
    run.end(State.SUCCEEDED, Reason.COMPLETED)
    answer = ask(api, run.id, action)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:cntk-jobs:problem:conflict")


def test_retry_at_another_learning_rate(
    api: httpx.Client, run: Run, store: Store, settings: Settings, spec: dict[str, Any]
) -> None:
    for step in (1, 2):
        publish(run.directory, step, "chain")
    run.end(State.FAILED, Reason.DIVERGED)
    before = api.get(f"/v1/jobs/{run.id}").json()
    answer = ask(api, run.id, "retry", checkpoint=10, learning_rate=0.001)
    assert answer.status_code == 200, answer.text
    job = answer.json()
    assert (job["status"], job["reason"], job["checkpoints"]) == ("queued", "retried", 1)
    assert job["detail"] == f"from {run.id}@10 at another learning rate: 0.001"
    assert job["spec"]["learner"]["learning_rate"] == {"type": "constant", "rate": 0.001}
    assert job["fingerprint"] == job["spec"]["fingerprint"] != before["fingerprint"]
    rest = {"learner": None, "fingerprint": None}
    assert {**job["spec"], **rest} == {**before["spec"], **rest}
    assert read_json(run.attempt.spec) == before["spec"]
    assert store.claim(run.id, worker="w", lease_seconds=60) is not None


def test_retry_of_a_job_that_had_a_key(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    """The answer to its submission stays what it was."""
    headers = {"idempotency-key": "k"}
    first = api.post("/v1/jobs", json=spec, headers=headers)
    record = store.claim(first.json()["id"], worker="w", lease_seconds=60)
    assert record is not None
    store.transition(record, State.FAILED, Reason.DIVERGED)
    assert ask(api, record.id, "retry", learning_rate=0.001).status_code == 200
    assert api.post("/v1/jobs", json=spec, headers=headers).content == first.content


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({"checkpoint": 7}, {"/checkpoint"}),
        ({"checkpoint": "newest", "learning_rate": -1}, {"/checkpoint", "/learning_rate"}),
        ({"learning_rate": {"type": "cosin", "rate": 0.1}}, {"/learning_rate/type"}),
        ({"rate": 0.1}, {"/rate"}),
    ],
)
def test_retry_with_faults(api: httpx.Client, run: Run, body: dict[str, Any], places: set[str]) -> None:
    publish(run.directory, 1, "chain")
    run.end(State.FAILED, Reason.DIVERGED)
    assert pointers(ask(api, run.id, "retry", **body), 422) == places
    assert api.get(f"/v1/jobs/{run.id}").json()["status"] == "failed"
    assert run.directory.published_checkpoints() == [10]


def test_retry_of_an_evaluation(api: httpx.Client, run: Run, store: Store) -> None:
    publish(run.directory, 1, "chain")
    job_id = ask(api, run.id, "evaluate", split="train").json()["id"]
    record = store.claim(job_id, worker="w", lease_seconds=60)
    assert record is not None
    store.transition(record, State.FAILED, Reason.TRAINER_ERROR)
    refused = ask(api, job_id, "retry", checkpoint="best", learning_rate=0.1)
    assert pointers(refused, 422) == {"/checkpoint", "/learning_rate"}
    assert ask(api, job_id, "retry").json()["status"] == "queued"
