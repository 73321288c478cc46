"""Trainers that are forked from one that has loaded CNTK train as those do that are started afresh."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.drawn_shapes import drawn
from tests.trainer_runs import Sequences, Workshop, facts, losses
from tests.workplace import ROOT
from trainer.files import read_json
from trainer.layout import RunDirectory
from worker.fork_servers import ForkServer, Request
from worker.launch import program

ROWS = 60
SPLITS = {"train": np.arange(40), "valid": np.arange(40, ROWS)}


class Warm:
    """Runs attempts in forks of one server."""

    def __init__(self, workshop: Workshop, threads: int, python: str | None = None) -> None:
        self.workshop = workshop
        wanted = program(dict(workshop.environment), threads)
        self.server = ForkServer(replace(wanted, python=python or wanted.python), workshop.volume.path)

    def train(self, run: RunDirectory, attempt: int = 1) -> dict[str, Any]:
        """Run one attempt to its end; its result."""
        while not self.server.ready:
            assert self.server.alive
            time.sleep(0.01)
        folder = run.attempt(attempt)
        folder.path.mkdir(parents=True, exist_ok=True)
        dataset = self.workshop.volume.dataset(read_json(run.spec)["dataset"]).path
        with (
            folder.stdout.open("ab") as stdout,
            folder.stderr.open("ab") as stderr,
            run.lock.open("w") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            request = Request(run.path, str(attempt), dataset, lock.fileno(), stdout, stderr)
            trainer = self.server.start(request)
        assert trainer is not None
        deadline = time.monotonic() + 120
        while trainer.poll() is None:
            assert time.monotonic() < deadline, folder.stderr.read_text()[-3000:]
            time.sleep(0.005)
        trainer.close()
        assert trainer.returncode == 0, folder.stderr.read_text()[-3000:]
        return dict(read_json(run.result))


@pytest.fixture(scope="module", params=[1, 2], ids=["one thread", "two threads"])
def warm(request: pytest.FixtureRequest, workshop: Workshop) -> Iterator[Warm]:
    warm = Warm(workshop, request.param)
    yield warm
    warm.server.close()


@pytest.fixture(scope="module")
def datasets(workshop: Workshop) -> Mapping[str, str]:
    random = np.random.default_rng(5)
    label = random.integers(0, 3, ROWS)
    lengths = random.integers(1, 9, ROWS)
    columns = {
        "vector": random.normal(size=(ROWS, 12)) + label[:, None],
        "image": random.normal(size=(ROWS, 2, 8, 8)) + label[:, None, None, None],
        "steps": Sequences(random.normal(size=(lengths.sum(), 4)), lengths),
        "label": label,
    }
    shapes = workshop.dataset("shapes", drawn(ROWS, seed=2, proposals=12), SPLITS)
    return {"blobs": workshop.dataset("blobs", columns, SPLITS), "shapes": shapes}


def layers(field: str, *before: dict[str, Any]) -> dict[str, Any]:
    """A classifier of one field of the blobs."""
    return {
        "dataset": "blobs",
        "inputs": {field: {"field": field}},
        "network": [*before, {"name": "scores", "type": "dense", "units": 3, "input": before[-1]["name"]}],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "metrics": [{"type": "classification_error", "output": "scores", "target": "label"}],
        "learner": {"type": "adam", "alpha": 0.01},
    }


HIDDEN = {"activation": "relu"}
MAPS = {"type": "convolution", "filters": 6, "filter_shape": [3, 3], **HIDDEN}
SPECS: dict[str, dict[str, Any]] = {
    "dense": layers(
        "vector",
        {"name": "hidden", "type": "dense", "units": 32, "input": "vector", **HIDDEN},
        {"name": "dropped", "type": "dropout", "rate": 0.3, "input": "hidden"},
    ),
    "convolutional": layers(
        "image",
        {"name": "maps", "input": "image", **MAPS},
        {"name": "pooled", "type": "max_pooling", "window": [2, 2], "input": "maps"},
        {"name": "normal", "type": "batch_normalization", "input": "pooled"},
    ),
    "LSTM": layers(
        "steps",
        {"name": "read", "type": "lstm", "units": 8, "input": "steps"},
        {"name": "last", "type": "last", "input": "read"},
    ),
    "detection": {
        "dataset": "shapes",
        "recipe": {
            "type": "fast_rcnn",
            "difficult": "difficult",
            "maps": [6],
            "hidden": [12],
            "roi_size": 3,
            "regions_per_image": 8,
        },
    },
}


@pytest.mark.parametrize("kind", SPECS)
def test_bits_are_those_of_a_trainer_that_was_started_afresh(
    workshop: Workshop, warm: Warm, datasets: Mapping[str, str], kind: str, request: pytest.FixtureRequest
) -> None:
    threads = request.node.callspec.params["warm"]
    document = {**SPECS[kind], "dataset": datasets[SPECS[kind]["dataset"]]}
    document |= {
        "training": {"epochs": 2, "minibatch_size": 8, "seed": 3, "threads": threads},
        "checkpoints": {"every_epochs": 1, "keep_last": 9},
    }

    def job(name: str, **start: Any) -> RunDirectory:
        return workshop.job(f"{kind}_{threads}_{name}", document, **start)

    afresh, forked = job("afresh"), job("forked")
    reference = workshop.train(afresh)
    # A first one has gone before: nothing of it is left in the server.
    assert warm.train(job("before"))["parameters_sha256"] == reference["parameters_sha256"]
    result = warm.train(forked)
    assert np.array_equal(losses(forked), losses(afresh))
    assert unlike(result, reference) == []
    middle = afresh.published_checkpoints()[0]
    for whole, train, name in [(afresh, warm.train, "to_warm"), (forked, workshop.train, "to_cold")]:
        resumed = job(name, start=whole, samples=middle)
        assert unlike(train(resumed), reference) == [], name
        assert [fact["type"] for fact in facts(resumed)][:2] == ["started", "restored"]
    # With an OpenMP team of its own it would fork what hangs.
    assert len(list(Path(f"/proc/{warm.server.pid}/task").iterdir())) == 1


@pytest.fixture(scope="module")
def computing(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter whose server of forks has trained before it forks."""
    script = tmp_path_factory.mktemp("python") / "python"
    server = ROOT / "tests" / "in_trainer" / "computing_server.py"
    script.write_text(f'#!/bin/sh\nexec {workshop.environment["python"]} {server} "$@"\n')
    script.chmod(0o755)
    return str(script)


@pytest.fixture(scope="module")
def computed(workshop: Workshop, computing: str) -> Iterator[Warm]:
    warm = Warm(workshop, 1, computing)
    yield warm
    warm.server.close()


@pytest.mark.parametrize("kind", SPECS)
def test_what_a_server_has_computed_on_one_thread_changes_no_bit(
    workshop: Workshop, computed: Warm, datasets: Mapping[str, str], kind: str
) -> None:
    document = {**SPECS[kind], "dataset": datasets[SPECS[kind]["dataset"]]}
    document["training"] = {"epochs": 1, "minibatch_size": 8, "seed": 4, "threads": 1}
    reference = workshop.train(workshop.job(f"{kind}_alone", document))
    result = computed.train(workshop.job(f"{kind}_computed", document))
    assert unlike(result, reference) == []


def test_a_server_with_a_team_of_threads_forks_nothing(workshop: Workshop, computing: str) -> None:
    # Its forks would wait for threads that they do not have.
    warm = Warm(workshop, 2, computing)
    deadline = time.monotonic() + 120
    while warm.server.alive:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not warm.server.close()


def unlike(result: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """What two results differ in beside the time that they took."""
    return [key for key in reference if key != "seconds" and result[key] != reference[key]]
