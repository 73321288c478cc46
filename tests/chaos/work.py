"""The jobs that a campaign has the service do, and what each must end in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from client import Client
from client.demo import write_digits
from client.documents import Job
from client.problems import JobsApiError

_CONVOLVED = [
    {"name": "image", "type": "reshape", "shape": [1, 8, 8], "input": "pixels"},
    {"name": "strokes", "type": "convolution", "filters": 8, "filter_shape": [3, 3], "input": "image"},
    {"name": "evened", "type": "batch_normalization", "input": "strokes"},
    {"name": "pooled", "type": "max_pooling", "window": [2, 2], "input": "evened"},
    {"name": "scores", "type": "dense", "units": 10, "input": "pooled"},
]
_DENSE = [
    {"name": "code", "type": "dense", "units": 64, "activation": "relu", "input": "pixels"},
    {"name": "thinned", "type": "dropout", "rate": 0.3, "input": "code"},
    {"name": "scores", "type": "dense", "units": 10, "input": "thinned"},
]
_ROWS = [
    {"name": "square", "type": "reshape", "shape": [8, 8], "input": "pixels"},
    {"name": "flat", "type": "flatten", "input": "square"},
    {"name": "code", "type": "dense", "units": 32, "activation": "tanh", "input": "flat"},
    {"name": "scores", "type": "dense", "units": 10, "input": "code"},
]

VARIANTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "dropout, adam": (_DENSE, {"type": "adam", "alpha": 0.001}),
    "batch normalization, momentum": (
        _CONVOLVED,
        {"type": "momentum", "learning_rate": 0.02, "momentum": 0.9},
    ),
    "dense, rmsprop": (_ROWS, {"type": "rmsprop", "learning_rate": 0.001}),
}
"""Network and learner; every variant keeps state of another kind."""


def upload(client: Client, folder: Path) -> str:
    """The digits as a data set of the service; its id."""
    path = folder / "digits.npz"
    write_digits(path)
    splits = {"fractions": {"valid": 0.1, "test": 0.1}, "seed": 1}
    return str(client.datasets.add(path, name="digits", splits=splits)["id"])


def spec(variant: str, dataset: str, name: str, epochs: int) -> dict[str, Any]:
    """A job that takes about a third of a second an epoch, with four checkpoints in each."""
    network, learner = VARIANTS[variant]
    return {
        "name": name,
        "dataset": dataset,
        "inputs": {"pixels": {"field": "pixels", "scale": 0.0625}},
        "network": network,
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "digit"}],
        "learner": learner,
        "training": {"epochs": epochs, "minibatch_size": 4, "seed": 3},
        "checkpoints": {"every_epochs": 1, "every_minibatches": 100, "keep_last": 3, "keep_best": 1},
    }


class HasService(Protocol):
    """Who knows where a service answers now."""

    def url(self) -> str: ...


class Customer:
    """Posts jobs and keeps what was acknowledged, through every outage of the service."""

    def __init__(self, victim: HasService, dataset: str, epochs: int, variants: Sequence[str]) -> None:
        self._victim = victim
        self._dataset = dataset
        self._epochs = epochs
        self.variants = variants
        """What it posts, in turns."""
        self.accepted: dict[str, str] = {}
        """Job to variant."""
        self.cancelled: set[str] = set()
        """Jobs whose end was asked for; one that was not answered may have been heard all the same."""
        self._posted = 0
        self._unanswered: int | None = None

    def client(self) -> Client:
        return Client(self._victim.url(), timeout=5.0)

    def post(self) -> None:
        """One more job. Where no answer came, the same request is sent again at the next call."""
        if self._unanswered is None:
            self._posted += 1
            self._unanswered = self._posted
        variant = self.variants[self._unanswered % len(self.variants)]
        document = spec(variant, self._dataset, f"{variant} / {self._unanswered}", self._epochs)
        try:
            with self.client() as client:
                headers = {"Idempotency-Key": f"job-{self._unanswered}"}
                job = client.request("POST", "/v1/jobs", json=document, headers=headers).json()
        except (JobsApiError, FileNotFoundError):
            return
        self._unanswered = None
        self.accepted[job["id"]] = variant

    def resume_all(self, jobs: list[Job]) -> None:
        """Let those that are paused go on."""
        for job in jobs:
            if job["status"] == "paused":
                self.ask(job["id"], "resume")

    def ask(self, job: str, what: str) -> bool:
        """Whether the service acknowledged that it will cancel, pause or resume a job."""
        try:
            with self.client() as client:
                client.request("POST", f"/v1/jobs/{job}/{what}")
        except (JobsApiError, FileNotFoundError):
            return False
        return True

    def cancel(self, job: str) -> bool:
        """Whether the service acknowledged that the job shall end."""
        self.cancelled.add(job)
        return self.ask(job, "cancel")

    def jobs(self) -> list[Job] | None:
        """All jobs as the service tells them now, None where it does not answer."""
        try:
            with self.client() as client:
                return client.jobs.list()
        except (JobsApiError, FileNotFoundError):
            return None

    def wait_for_all(self, limit: float) -> list[Job]:
        """All jobs once each has ended and all that were acknowledged are there (or will never be).

        AssertionError with those that have not ended after ``limit`` seconds.
        """
        deadline = time.monotonic() + limit
        found: list[Job] | None = None
        while time.monotonic() < deadline:
            found = self.jobs()
            there = {job["id"] for job in found or []}
            if found is not None and not list(unfinished(found)) and self.accepted.keys() <= there:
                return found
            self.resume_all(found or [])
            time.sleep(0.2)
        waiting = [f"{job['id']} {job['status']} ({job['reason']})" for job in unfinished(found or [])]
        if found is None or waiting:
            raise AssertionError(f"after {limit:.0f} s these have not ended: {waiting}")
        return found


def unfinished(jobs: list[Job]) -> Iterator[Job]:
    return (job for job in jobs if job["status"] not in ("succeeded", "failed", "cancelled"))
