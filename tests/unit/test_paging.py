"""Files that memory has no room for: what the system is told of them, and that rows are the same."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Sequences, Sparse, Workshop
from trainer import paging
from trainer.columns import Dataset
from trainer.minibatches import Order

ROWS = 4000
RANDOM = np.random.default_rng(1)
DENSE = RANDOM.normal(size=(ROWS, 600)).astype(np.float32)
BAGS = Sparse.of((RANDOM.random((ROWS, 12)) < 0.3).astype(np.float32))
LENGTHS = RANDOM.integers(1, 5, ROWS)
STEPS = Sequences(RANDOM.normal(size=(int(LENGTHS.sum()), 50)).astype(np.float32), LENGTHS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    columns = {"dense": DENSE, "bag": BAGS, "steps": STEPS, "digit": np.arange(ROWS) % 7}
    return workshop.volume.dataset(workshop.dataset("rows", columns, {"train": np.arange(ROWS)}))


@pytest.fixture
def scarce(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A data set of which memory has room for no column."""
    monkeypatch.setattr(paging, "memory", lambda: 4096)
    return Dataset(folder)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """File, first byte and number of bytes of what the system was told of; it is told, too."""
    found: list[tuple[str, int, int]] = []
    advise = os.posix_fadvise

    def noted(descriptor: int, offset: int, length: int, advice: int) -> None:
        assert advice == os.POSIX_FADV_WILLNEED
        found.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, offset, length))
        advise(descriptor, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", noted)
    return found


def resident(file: str) -> int:
    """Bytes of a mapped file that this process holds."""
    mappings = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.M)
    sizes = [re.search(r"^Rss: +(\d+) kB", one, re.M) for one in mappings if file in one.split("\n")[0]]
    return sum(1024 * int(size[1]) for size in sizes if size)


def test_files_that_fit_are_left_to_the_system(folder: Any, told: list[Any]) -> None:
    column = Dataset(folder).column("dense")
    minibatches = list(paging.expected(Order(np.arange(ROWS), 100).minibatches(), [column]))
    assert len(minibatches) == ROWS // 100
    assert told == []


@pytest.mark.parametrize("field", ["dense", "bag", "steps", "digit"])
def test_minibatches_are_the_same_and_told_of_before_they_come(
    scarce: Dataset, folder: Any, told: list[Any], field: str
) -> None:
    column, plain = scarce.column(field), Order(np.arange(ROWS), 100, 3, "drawn")
    minibatches = paging.expected(plain.minibatches(), [column])
    first = next(minibatches)
    files = 2 if field == "bag" else 1
    assert len(told) == files * 100 * (paging.AHEAD + 1)
    found = [first, *minibatches]
    assert all(np.array_equal(one, same) for one, same in zip(found, plain.minibatches(), strict=True))
    assert len(told) == files * ROWS


def test_the_system_is_told_of_the_bytes_of_the_rows(scarce: Dataset, folder: Any, told: list[Any]) -> None:
    rows = np.array([7, 3999, 0])
    scarce.column("dense").expect(rows, rows + 1)
    scarce.column("steps").expect(rows, rows + 1)
    contents = {name: (folder.path / name).read_bytes() for name, _, _ in told}
    assert len(told) == 6
    for (name, offset, length), row in zip(told, [*rows, *rows], strict=True):
        steps = slice(STEPS.offsets[row], STEPS.offsets[row + 1])
        wanted = DENSE[row] if name == "dense.npy" else STEPS.steps[steps]
        assert contents[name][offset : offset + length] == wanted.tobytes()


def test_what_was_read_is_let_go_after_some_rows(scarce: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "HELD", 250)
    column, held = scarce.column("dense"), []
    for start in range(0, 600, 100):
        rows = np.arange(start, start + 100) * 5
        column.expect(rows, rows + 1)
        held.append(resident("dense.npy") > 0)
        assert np.array_equal(column.read(rows), DENSE[rows])
    assert held == [False, True, False, True, True, False]


def test_a_container_has_as_much_memory_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(paging, "LIMITS", (str(tmp_path / "absent"), str(limit)))
    for text, memory in (("max\n", machine), (f"{1 << 28}\n", 1 << 28), (f"{1 << 62}\n", machine)):
        limit.write_text(text)
        assert paging.memory() == memory
