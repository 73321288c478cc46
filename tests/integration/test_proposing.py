"""Proposals computed in processes: the same as one after the other, and none left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ingest.annotations.proposing import FEW, compute, propose_rows
from ingest.proposals import ProposalSettings
from jobs.errors import Unavailable

ROWS = FEW + 5
SETTINGS = ProposalSettings(method="selective_search", working_size=64, segment_min_pixels=4)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Images of one or two rectangles on noise; the last one is empty."""
    random = np.random.default_rng(1)
    pixels = random.integers(0, 40, (ROWS, 3, 48, 64), dtype=np.uint8)
    for row in range(ROWS - 1):
        left, top = random.integers(4, 40, 2)
        pixels[row, :, top : top + 12, left : left + 16] = random.integers(120, 255, (3, 1, 1))
    pixels[-1] = 90
    np.save(tmp_path / "images.npy", pixels)
    return tmp_path / "images.npy"


def test_by_several_processes(images: Path) -> None:
    windows = [(row % 3, 2, 60, 46) for row in range(ROWS)]
    expected = propose_rows(images, range(ROWS), windows, SETTINGS)
    found = list(compute(images, windows, SETTINGS, processes=2))
    assert len(found) == ROWS
    for one, other in zip(expected, found, strict=True):
        assert one.tobytes() == other.tobytes()
        assert (one >= [0, 2, 0, 2]).all()
        assert (one <= [60, 46, 60, 46]).all()
    assert min(map(len, expected[:-1])) > 0
    assert not multiprocessing.active_children()


def test_given_up_midway(images: Path) -> None:
    found = compute(images, [(0, 0, 64, 48)] * ROWS, SETTINGS, processes=2)
    next(found)
    assert multiprocessing.active_children()
    found.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_a_process_that_is_killed(images: Path) -> None:
    found = compute(images, [(0, 0, 64, 48)] * ROWS, SETTINGS, processes=2)
    next(found)
    for child in multiprocessing.active_children():
        child.kill()
    with pytest.raises(Unavailable, match="upload again"):
        list(found)
    assert not multiprocessing.active_children()


KILLED = """
import os, sys
from pathlib import Path
from ingest.annotations.proposing import compute
from ingest.proposals import ProposalSettings
import multiprocessing

if __name__ == "__main__":
    settings = ProposalSettings(method="selective_search", working_size=64)
    found = compute(Path(sys.argv[1]), [(0, 0, 64, 48)] * {rows}, settings, processes=2)
    next(found)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    sys.stdin.read()
"""


def test_the_processes_end_with_their_parent(images: Path, tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED.format(rows=ROWS), encoding="utf-8")
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, script, images],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as parent:
        assert parent.stdout is not None
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.send_signal(signal.SIGKILL)
    assert len(children) == 2
    deadline = time.monotonic() + 30
    while any(map(alive, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process runs: one that nobody waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
