"""Files that memory has no room for: when they are asked for, and that rows are the same."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainer_runs import Sequences, Sparse, Workshop
from trainer import direct, paging
from trainer.columns import Dataset, Padded
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
def usual(folder: Any) -> dict[str, Any]:
    """The columns of a data set that memory has room for."""
    return {field: Dataset(folder).column(field) for field in ("dense", "bag", "steps", "digit")}


@pytest.fixture
def scarce(folder: Any, usual: Any, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A data set of which memory has room for no column."""
    monkeypatch.setattr(paging, "memory", lambda: 4096)
    return Dataset(folder)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many entries were asked for at a time."""
    found: list[int] = []
    begin = direct.DirectFile.begin

    def noted(self: Any, entries: Any) -> Any:
        found.append(len(entries))
        return begin(self, entries)

    monkeypatch.setattr(direct.DirectFile, "begin", noted)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two columns read the same: arrays, sparse ones, or padded ones."""
    if isinstance(one, Padded):
        return np.array_equal(one.lengths, other.lengths) and same(one.values, other.values)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return all(same(getattr(one, word), getattr(other, word)) for word in ("data", "indices", "indptr"))


@pytest.fixture(params=["direct", "mapped"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """How scarce files are read: around the system's cache, or where it has no such thing."""
    if request.param == "mapped":
        monkeypatch.setattr(direct, "_SETUP", 1 << 20)  # no system call has this number
    else:
        _ask_for_direct(tmp_path)
    return str(request.param)


def _ask_for_direct(folder: Path) -> None:
    (folder / "probe").write_bytes(b"")
    try:
        os.close(os.open(folder / "probe", os.O_RDONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("this file system has no direct reading")


def test_files_that_fit_are_left_to_the_system(folder: Any, begun: list[int]) -> None:
    column = Dataset(folder).column("dense")
    minibatches = list(paging.expected(Order(np.arange(ROWS), 100).minibatches(), [column]))
    assert len(minibatches) == ROWS // 100
    assert column.file.direct is None
    assert begun == []


@pytest.mark.parametrize("field", ["dense", "bag", "steps", "digit"])
def test_rows_are_the_same_and_asked_for_before_they_come(
    way: str, scarce: Dataset, usual: dict[str, Any], begun: list[int], field: str
) -> None:
    column = scarce.column(field)
    order = Order(np.arange(ROWS), 100, 3, "drawn")
    files = (2 if field == "bag" else 1) * (way == "direct")
    minibatches = []
    for rows in paging.expected(order.minibatches(), [column]):
        # Three minibatches make enough rows, and those of the next three are asked for, too.
        times = min(len(minibatches) // 3 + 2, 14)
        assert len(begun) == files * times
        assert same(column.read(rows), usual[field].read(rows))
        minibatches.append(rows)
    assert all(np.array_equal(*pair) for pair in zip(minibatches, order.minibatches(), strict=True))
    assert len(begun) == files * 14


@pytest.mark.parametrize(("field", "size"), [("dense", 2400), ("bag", 29), ("steps", 500), ("digit", 4)])
def test_few_large_rows_are_asked_for_at_a_time(
    scarce: Dataset, monkeypatch: pytest.MonkeyPatch, field: str, size: int
) -> None:
    column, told = scarce.column(field), []
    monkeypatch.setattr(column, "expect", lambda rows: told.append(len(rows)))
    # On average: a bag has 3.6 elements of 8 bytes, a sequence 2.5 steps.
    assert column.scarce == pytest.approx(size, rel=0.03)
    monkeypatch.setattr(paging, "TOGETHER_BYTES", 45 * size)
    list(paging.expected(Order(np.arange(ROWS), 20).minibatches(), [column]))
    assert told == [60] * 66 + [40]


def test_classes_looked_up_are_the_same(way: str, scarce: Dataset) -> None:
    rows = np.array([5, 5, 3999, 0])
    assert same(scarce.column("digit", coded=True).read(rows), (rows % 7).astype(np.float32))


def test_a_minibatch_may_be_read_in_parts(scarce: Dataset, begun: list[int], tmp_path: Path) -> None:
    _ask_for_direct(tmp_path)
    column, rows = scarce.column("dense"), np.arange(ROWS)[::-7]
    column.expect(rows[:300])
    column.expect(rows[300:])
    found = [column.read(rows[start : start + 50]) for start in range(0, len(rows), 50)]
    assert np.array_equal(np.concatenate(found), DENSE[rows])
    assert begun == [300, len(rows) - 300]


def test_what_was_expected_and_never_read_is_forgotten(scarce: Dataset, tmp_path: Path) -> None:
    _ask_for_direct(tmp_path)
    column = scarce.column("dense")
    for start in range(100):
        column.expect(np.arange(start, start + 20))
    assert len(column.file.coming) == paging.AHEAD + 1
    for rows in (np.array([3, 1]), np.arange(98, 118), np.arange(99, 119), np.array([7])):
        assert np.array_equal(column.read(rows), DENSE[rows])
    assert not column.file.coming
    assert not column.file.direct.under_way
    # Buffers are used again.
    assert len(column.file.direct.buffers) <= paging.AHEAD + 2


def test_more_pieces_than_the_system_takes_are_read_after_one_another(
    scarce: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ask_for_direct(tmp_path)
    monkeypatch.setattr(direct, "QUEUE", 3)
    column, rows = scarce.column("dense"), np.arange(0, ROWS, 5)
    column.expect(rows)
    assert np.array_equal(column.read(rows), DENSE[rows])


def test_a_file_that_has_become_shorter_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _ask_for_direct(tmp_path)
    monkeypatch.setattr(paging, "memory", lambda: 4096)
    path = tmp_path / "values.npy"
    np.save(path, DENSE)
    file = paging.Mapped(path)
    os.truncate(path, 1 << 20)
    assert np.array_equal(file.take(np.array([3])), DENSE[[3]])
    with pytest.raises(OSError, match=re.escape(str(path))):
        file.take(np.array([3, ROWS - 1]))


def test_a_container_has_as_much_memory_as_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(paging, "LIMITS", (str(tmp_path / "absent"), str(limit)))
    for text, memory in (("max\n", machine), (f"{1 << 28}\n", 1 << 28), (f"{1 << 62}\n", machine)):
        limit.write_text(text)
        assert paging.memory() == memory
