"""A job that nobody gave a number of threads gets it from the service, and keeps it through a pause."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from client import Client
from client.documents import Job
from jobs.specs.threads import MOST
from tests.running_service import RunningService, until
from trainer.files import read_json
from worker import cores

WIDE: dict[str, Any] = {
    "network": [
        {"name": "h1", "type": "dense", "units": 512, "activation": "relu", "input": "x"},
        {"name": "h2", "type": "dense", "units": 512, "activation": "relu", "input": "h1"},
        {"name": "scores", "type": "dense", "units": 10, "input": "h2"},
    ],
    "inputs": {"x": "x"},
    "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}],
    "learner": {"type": "adam"},
    # 400 rows are worth two threads, and 64 are worth one.
    "training": {"epochs": 40, "minibatch_size": 400, "seed": 1},
    "checkpoints": {"every_epochs": 40},
}


def ended(client: Client, job: Job) -> Job:
    return client.jobs.wait(job["id"], timeout=300)


def threads(job: Mapping[str, Any]) -> int:
    return int(job["spec"]["training"]["threads"])


def parameters(job: Job) -> str | None:
    assert job["result"] is not None, (job["reason"], job["detail"])
    return job["result"]["parameters_sha256"]


def test_a_large_step_gets_threads_that_a_pause_does_not_change(
    service: RunningService, client: Client, tmp_path: Path
) -> None:
    random = np.random.default_rng(5)
    digit = np.arange(1200) % 10
    x = random.normal(size=(10, 784))[digit] + random.normal(0, 0.5, (1200, 784))
    np.savez(tmp_path / "wide.npz", x=x.astype(np.float32), digit=digit)
    dataset = client.datasets.add(tmp_path / "wide.npz", fields={"digit": {"kind": "categorical"}})
    spec = WIDE | {"dataset": dataset["id"]}
    # One that another test has killed is heard of for a while, and takes its part of the cores.
    [worker] = until(lambda: found if len(found := client.workers()) == 1 else None, "one worker")
    assert worker["threads"] == cores.usable()
    chosen = min(2, MOST, worker["threads"])
    until(lambda: threads(client.jobs.validate(spec)) == chosen or None, "the API to hear of it")

    undisturbed = ended(client, client.jobs.submit(spec))
    assert threads(undisturbed) == chosen
    small = client.jobs.submit(spec | {"training": {"epochs": 1, "minibatch_size": 64}})
    assert threads(small) == 1

    job = client.jobs.submit(spec)
    until(lambda: client.jobs.get(job["id"])["first_minibatch_at"], "the first minibatch")
    client.jobs.pause(job["id"])
    until(lambda: client.jobs.get(job["id"])["status"] == "paused" or None, "the pause")
    [checkpoint] = client.jobs.checkpoints(job["id"])
    client.jobs.resume(job["id"])
    resumed = ended(client, job)
    assert threads(resumed) == chosen
    assert parameters(resumed) == parameters(undisturbed)
    run = service.home / "volume" / "jobs" / job["id"]
    assert read_json(run / "machine.json")["threads"] == chosen

    start = {"job": job["id"], "checkpoint": checkpoint["id"], "mode": "exact"}
    continued = ended(client, client.jobs.submit(spec | {"start_from": start}))
    assert threads(continued) == chosen
    assert parameters(continued) == parameters(undisturbed)
