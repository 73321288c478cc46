"""What a spec says of the machine reaches the library, is recorded, and lasts when a job goes on."""

from __future__ import annotations

import signal
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Workshop, facts
from trainer import machine
from trainer.files import read_json, write_json
from trainer.layout import RunDirectory

ROWS, MINIBATCH = 96, 16


@pytest.fixture(scope="module")
def data(workshop: Workshop) -> str:
    random = np.random.default_rng(5)
    columns = {
        "image": random.normal(size=(ROWS, 3, 16, 16)).astype(np.float32),
        "label": random.integers(0, 4, ROWS),
    }
    return workshop.dataset("pictures", columns, {"train": np.arange(ROWS)})


def spec(data: str, **training: Any) -> dict[str, Any]:
    """Convolutions: their last bits differ between the library's kinds of code."""
    layer = {"type": "convolution", "filters": 16, "filter_shape": [3, 3], "pad": True, "activation": "relu"}
    return {
        "dataset": data,
        "inputs": {"image": {"field": "image"}},
        "network": [
            {"name": "first", "input": "image", **layer},
            {"name": "second", "input": "first", **layer},
            {"name": "scores", "type": "dense", "units": 4, "input": "second"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "learner": {"type": "adam", "alpha": 0.003},
        "training": {"epochs": 2, "minibatch_size": MINIBATCH, "seed": 2, **training},
        "checkpoints": {"every_epochs": 1, "every_minibatches": 2, "keep_last": 9},
    }


def of_type(run: RunDirectory, attempt: int, kind: str) -> list[dict[str, Any]]:
    return [fact for fact in facts(run, attempt) if fact["type"] == kind]


def runtime(run: RunDirectory, attempt: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = of_type(run, attempt, "started")[0]["runtime"]
    return found


def test_the_code_that_a_spec_asks_for_computes_and_goes_on_in_the_same_bits(
    workshop: Workshop, data: str
) -> None:
    if not machine.processor()["avx512"]:
        pytest.skip("this processor has one kind of code alone")
    digests = {}
    for code, variable in (("avx2", "5"), ("avx512", "7")):
        run = workshop.job(code, spec(data, mkl_code=code))
        digests[code] = workshop.train(run)["parameters_sha256"]
        assert runtime(run)["mkl_cpu_type"] == variable
        assert read_json(run.machine)["mkl_cpu_type"] == variable
    assert digests["avx2"] != digests["avx512"]
    killed = workshop.job("avx2_killed", spec(data, mkl_code="avx2"))
    assert workshop.interrupt(killed, 1, signal.SIGKILL, after="checkpoint") == -signal.SIGKILL
    assert workshop.train(killed, attempt=2)["parameters_sha256"] == digests["avx2"]
    (restored,) = of_type(killed, 2, "restored")
    assert restored["runtime_changed"] == {}


def test_threads_that_spin_for_another_time_are_told_of_and_change_no_bit(
    workshop: Workshop, data: str
) -> None:
    document = spec(data, threads=2, blocktime_ms=0)
    reference = workshop.train(workshop.job("sleeping", document))
    run = workshop.job("spinning", dict(document, training={**document["training"], "blocktime_ms": 4}))
    assert workshop.interrupt(run, 1, signal.SIGKILL, after="checkpoint") == -signal.SIGKILL
    assert (runtime(run)["blocktime_ms"], read_json(run.machine)["blocktime_ms"]) == (4, 4)
    complete = read_json(run.spec)
    assert complete["fingerprint"] == read_json(workshop.volume.job("job_sleeping").spec)["fingerprint"]
    complete["training"]["blocktime_ms"] = 0
    write_json(run.spec, complete)
    assert workshop.train(run, attempt=2)["parameters_sha256"] == reference["parameters_sha256"]
    (restored,) = of_type(run, 2, "restored")
    assert restored["runtime_changed"] == {"blocktime_ms": [4, 0]}
