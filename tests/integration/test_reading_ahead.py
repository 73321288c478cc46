"""The next job's data set comes to memory while it waits."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path

import pytest

from tests.integration.test_submit import Desk, desk, spec
from worker import reading_ahead
from worker.reading_ahead import ReadingAhead, read_ahead

__all__ = ["desk", "spec"]

BYTES = 1 << 22
PATIENCE_SECONDS = 60


def in_memory(path: Path) -> float:
    """The share of a file's pages that the system has in memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        pages = len(mapped) // mmap.PAGESIZE
        told = (ctypes.c_ubyte * pages)()
        place = ctypes.c_char.from_buffer(mapped)
        done = ctypes.CDLL(None).mincore(
            ctypes.c_void_p(ctypes.addressof(place)), ctypes.c_size_t(len(mapped)), told
        )
        del place
        assert done == 0
        return sum(page & 1 for page in told) / pages


def forgotten(path: Path) -> Path:
    """A file that is on the disk alone."""
    path.write_bytes(os.urandom(BYTES))
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    if in_memory(path) > 0.5:
        pytest.skip("this file system keeps its files in memory")
    return path


def comes(path: Path) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while in_memory(path) < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    return in_memory(path) == 1


def test_the_next_job_s_data_comes_to_memory_once(desk: Desk, spec: dict[str, object]) -> None:
    job_id = desk.submit(spec)
    folder = desk.volume.dataset(desk.store.get(job_id).dataset).path
    column = forgotten(folder / "column.npy")
    ahead = ReadingAhead(desk.settings, desk.store)
    ahead.look([None])
    assert comes(column)
    forgotten(column)
    ahead.look([None])
    assert in_memory(column) < 0.5


def test_no_more_than_there_is_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "MOST_BYTES", BYTES)
    first, second = forgotten(tmp_path / "a.npy"), forgotten(tmp_path / "b.npy")
    read_ahead(tmp_path)
    assert comes(first)
    assert in_memory(second) < 0.5


def test_a_data_set_that_is_gone_is_nobody_s_trouble(tmp_path: Path) -> None:
    read_ahead(tmp_path / "nowhere")
