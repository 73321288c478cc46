"""Large checkpoints, which a copy of the trainer saves while the trainer goes on."""

from __future__ import annotations

import signal
import time
from typing import Any

import numpy as np
import psutil
import pytest

from tests.trainer_runs import Workshop, facts, losses
from trainer.checkpoints import verify
from trainer.files import read_json
from trainer.layout import RunDirectory

UNITS = 512
"""A square layer of so many units has 3 MB of weights with Adam's state: worth a copy."""


@pytest.fixture(scope="module")
def data(workshop: Workshop) -> str:
    random = np.random.default_rng(5)
    features = random.normal(size=(400, 20)).astype(np.float32)
    label = features[:, :3].argmax(axis=1).astype(np.int64)
    return workshop.dataset("aside", {"features": features, "label": label}, {"train": np.arange(400)})


def spec(data: str, **checkpoints: Any) -> dict[str, Any]:
    return {
        "dataset": data,
        "inputs": {"features": {"field": "features"}},
        "network": [
            {"name": "wide", "type": "dense", "units": UNITS, "activation": "relu", "input": "features"},
            {"name": "square", "type": "dense", "units": UNITS, "activation": "relu", "input": "wide"},
            {"name": "regular", "type": "dropout", "rate": 0.3, "input": "square"},
            {"name": "scores", "type": "dense", "units": 3, "input": "regular"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "learner": {"type": "adam", "alpha": 0.001},
        "training": {"epochs": 6, "minibatch_size": 8, "seed": 2},
        "watch": {"metric": "total", "split": "train"},
        "checkpoints": {"every_epochs": None, "keep_last": 50, **checkpoints},
    }


@pytest.fixture(scope="module")
def undisturbed(workshop: Workshop, data: str) -> RunDirectory:
    """Without a checkpoint on the way: only its last one is saved, by the trainer itself."""
    run = workshop.job("aside_undisturbed", spec(data))
    workshop.train(run)
    return run


def digest(run: RunDirectory) -> str:
    return str(read_json(run.result)["parameters_sha256"])


def test_what_a_copy_saves_is_whole_and_changes_no_bit(
    workshop: Workshop, data: str, undisturbed: RunDirectory
) -> None:
    run = workshop.job("aside", spec(data, every_minibatches=20))
    workshop.train(run)
    published = run.published_checkpoints()
    assert len(published) == 15
    digests = {verify(run.checkpoint(samples))["parameters_sha256"] for samples in published}
    assert len(digests) == 15
    assert digest(run) == digest(undisturbed)
    assert np.array_equal(losses(run), losses(undisturbed))
    told = [fact["samples"] for fact in facts(run, 1) if fact["type"] == "checkpoint"]
    assert told == published


def test_a_killed_trainer_takes_its_copy_along_and_resumes_exactly(
    workshop: Workshop, data: str, undisturbed: RunDirectory
) -> None:
    run = workshop.job("aside_killed", spec(data, every_minibatches=7))
    assert workshop.interrupt(run, 1, signal.SIGKILL, after="checkpoint") == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while left := [process.pid for process in psutil.process_iter() if str(run.path) in words(process)]:
        assert time.monotonic() < deadline, left
    workshop.train(run, attempt=2)
    assert digest(run) == digest(undisturbed)
    assert np.array_equal(losses(run), losses(undisturbed))


def words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.NoSuchProcess:
        return []
