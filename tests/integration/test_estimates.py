"""What validation says a job will take is what it takes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from jobs.spec import normalise
from tests.trainer_runs import Workshop


def high_water(pid: int) -> int:
    """Most bytes a process has held since its exec (its rusage would count what it was forked from)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


@pytest.mark.parametrize("learner", ["sgd", "adam", "rmsprop"])
def test_checkpoint_and_memory_are_as_estimated(workshop: Workshop, learner: str) -> None:
    random = np.random.default_rng(0)
    dataset = workshop.dataset(
        learner,
        {"x": random.normal(size=(256, 784)), "y": np.arange(256) % 10},
        {"train": np.arange(256)},
    )
    spec = {
        "dataset": dataset,
        "inputs": {"x": "x"},
        "network": [
            {"name": "wide", "type": "dense", "units": 1024, "input": "x"},
            {"name": "wider", "type": "dense", "units": 1024, "input": "wide"},
            {"name": "scores", "type": "dense", "units": 10, "input": "wider"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "y"}],
        "learner": {"type": learner},
        "training": {"epochs": 2, "minibatch_size": 64},
    }
    estimate = normalise(spec, workshop.volume, workshop.settings).estimate
    run = workshop.job(learner, spec)
    process, peak = workshop.start(run), 0
    while process.poll() is None:
        peak = max(peak, high_water(process.pid))
        time.sleep(0.005)
    assert process.returncode == 0
    newest = run.checkpoint(run.published_checkpoints()[-1])
    written = newest.model.stat().st_size + newest.learners.stat().st_size
    assert written == pytest.approx(estimate["checkpoint_bytes"], rel=0.02)
    # Interpreters and allocators differ: a fifth is what an estimate may be off.
    assert peak == pytest.approx(estimate["memory_bytes"], rel=0.2)
