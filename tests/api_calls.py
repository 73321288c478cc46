"""What tests of the API share: calls that must succeed, answers that must be problems, and a run."""

from __future__ import annotations

import json
from typing import Any

import httpx

from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from trainer.files import append_line

ROWS = b"".join(b"%d,%d,%s\n" % (i % 7, i % 5, b"xy"[i % 2 : i % 2 + 1]) for i in range(40))
"""A table that a network can be trained on: two numbers and a class."""


def spec_by(api: httpx.Client) -> dict[str, Any]:
    """A spec that fits a data set which this client uploads."""
    options = json.dumps(
        {"columns": ["a", "b", "label"], "fields": {"x": {"columns": ["a", "b"]}, "label": {}}}
    )
    answer = api.post("/v1/datasets", files={"file": ("t.csv", ROWS)}, data={"options": options})
    assert answer.status_code == 201, answer.text
    return {
        "name": "tiny",
        "dataset": answer.json()["id"],
        "inputs": {"x": {"field": "x"}},
        "network": [{"name": "scores", "type": "dense", "units": 2, "input": "x"}],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "learner": {"type": "sgd"},
        "training": {"epochs": 3, "minibatch_size": 8, "seed": 1},
    }


def submit(api: httpx.Client, spec: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("/v1/jobs", json=spec)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{found['id']}"
    return found


def pointers(answer: httpx.Response, status: int) -> set[str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return {fault["pointer"] for fault in answer.json()["errors"]}


class Run:
    """A job in its first attempt, reported as a trainer and its worker would."""

    def __init__(self, store: Store, settings: Settings, job_id: str) -> None:
        self.store, self.id = store, job_id
        self.directory = settings.volume.job(job_id)
        claimed = store.claim(job_id, worker="w", lease_seconds=60)
        assert claimed is not None
        self.record = claimed
        self.attempt = self.directory.attempt(claimed.attempt)
        self.attempt.path.mkdir(parents=True)

    def report(self, *facts: dict[str, Any], **fields: Any) -> None:
        for fact in facts:
            append_line(self.attempt.facts, {"time": 1.0, **fact})
        events = [(1000, self.record.attempt, fact) for fact in facts]
        self.store.report(self.id, self.record.attempt, events=events, fields=fields, training=True)

    def end(self, state: State, reason: Reason) -> None:
        self.record = self.store.transition(self.store.get(self.id), state, reason)


def epoch(number: int, loss: float | None) -> dict[str, Any]:
    return {
        "type": "epoch",
        "epoch": number,
        "step": number * 5,
        "samples": number * 40,
        "learning_rate": 0.1,
        "losses": {"train": {"total": loss}},
        "metrics": {},
        "seconds": 0.5,
    }
