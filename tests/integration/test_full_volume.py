"""A trainer whose volume is full, or becomes read-only, leaves in time and loses nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Workshop
from trainer.files import read_json
from trainer.layout import RunDirectory

UNUSABLE = 74
MEGABYTES = 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes; skipped where this user may not mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def spec(workshop: Workshop, name: str) -> dict[str, Any]:
    random = np.random.default_rng(3)
    columns = {"x": random.normal(size=(64, 50)), "label": np.arange(64) % 4}
    return {
        "dataset": workshop.dataset(name, columns, {"train": np.arange(64)}),
        "inputs": {"x": "x"},
        "network": [
            {"name": "hidden", "type": "dense", "units": 400, "input": "x"},
            {"name": "scores", "type": "dense", "units": 4, "input": "hidden"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "learner": {"type": "adam"},
        "training": {"epochs": 30, "minibatch_size": 32},
        "checkpoints": {"every_minibatches": 3, "keep_last": 2},
    }


def left(workshop: Workshop, run: RunDirectory, attempt: int) -> tuple[int, str]:
    """Exit status and last words of an attempt."""
    status = workshop.start(run, attempt).wait(120)
    return status, run.attempt(attempt).stderr.read_text()


@pytest.mark.parametrize("room", [0, 50_000, 120_000, 300_000])
def test_a_full_disk(workshop: Workshop, small_disk: Path, room: int) -> None:
    document = spec(workshop, f"full_{room}")
    whole = workshop.train(workshop.job(f"whole_{room}", document))
    run = workshop.job(f"full_{room}", document)
    run.checkpoints.symlink_to(small_disk)
    free = shutil.disk_usage(small_disk).free
    (small_disk / ".filler").write_bytes(bytes(free - room))
    status, words = left(workshop, run, 1)
    assert status == UNUSABLE, words
    assert "No space left on device" in words
    assert not run.result.exists()
    (small_disk / ".filler").unlink()
    assert left(workshop, run, 2)[0] == 0
    assert read_json(run.result)["parameters_sha256"] == whole["parameters_sha256"]


def test_a_disk_that_becomes_read_only(workshop: Workshop, small_disk: Path) -> None:
    document = spec(workshop, "read_only")
    whole = workshop.train(workshop.job("whole_ro", document))
    run = workshop.job("read_only", document)
    run.checkpoints.symlink_to(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    status, words = left(workshop, run, 1)
    assert (status, "Read-only file system" in words) == (UNUSABLE, True), words
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert left(workshop, run, 2)[0] == 0
    assert read_json(run.result)["parameters_sha256"] == whole["parameters_sha256"]
