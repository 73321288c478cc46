"""Statistics block by block against numpy over everything at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from ingest.columns import Column
from ingest.statistics import Moments, statistics


@given(
    cuts=st.lists(st.integers(0, 60), max_size=5).map(sorted),
    offset=st.sampled_from([0.0, 1e6, -3e4]),
    seed=st.integers(0, 99),
)
@drawing(max_examples=60, deadline=None)
def test_moments_of_blocks_are_those_of_the_whole(cuts: list[int], offset: float, seed: int) -> None:
    numbers = (np.random.RandomState(seed).standard_normal((60, 3)) + offset).astype(np.float32)
    numbers[np.random.RandomState(seed + 1).rand(60, 3) < 0.2] = np.nan
    moments = Moments.of_size(3)
    for block in np.split(numbers, cuts):
        moments.add(block)
    whole = numbers.astype(np.float64)
    assert moments.count.tolist() == (~np.isnan(whole)).sum(axis=0).tolist()
    assert moments.mean == pytest.approx(np.nanmean(whole, axis=0), rel=1e-12)
    assert moments.deviation() == pytest.approx(np.nanstd(whole, axis=0), rel=1e-9)


def test_a_constant_has_no_deviation_at_all() -> None:
    moments = Moments.of_size(1)
    for _ in range(7):
        moments.add(np.full((3, 1), 0.1, np.float32))
    assert moments.deviation().tolist() == [0]


def dense(folder: Path, values: np.ndarray) -> Column:
    np.save(folder / "x.npy", values)
    return Column("dense", values.shape[1:], {"values": folder / "x.npy"}, len(values), str(values.dtype))


def test_extremes_are_of_all_rows_and_moments_of_the_training_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.arrays.BLOCK_BYTES", 40)
    monkeypatch.setattr("ingest.statistics.ROWS_AT_ONCE", 3)
    values = np.random.RandomState(0).standard_normal((50, 2, 2)).astype(np.float32)
    train = np.arange(0, 50, 3)
    found = statistics(dense(tmp_path, values), train)
    assert (found["min"], found["max"]) == (values.min(), values.max())
    assert found["mean"] == pytest.approx(values[train].mean(axis=0).ravel().tolist(), rel=1e-5)
    assert found["std"] == pytest.approx(values[train].std(axis=0).ravel().tolist(), rel=1e-5)


def test_very_large_examples_get_extremes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.statistics.MOST_ELEMENTS", 3)
    found = statistics(dense(tmp_path, np.ones((2, 4), np.uint8)), np.arange(2))
    assert found == {"min": 1, "max": 1, "row_sum": (4, 4)}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([[0.25, 0.75], [1, 0], [1, 1]]), (1, 2)),
        (np.uint8([[1, 1, 0], [0, 0, 0]]), (0, 2)),
        (np.float32([[0.5, 1.5]]), None),
        (np.float32([[-0.5, 0.5]]), None),
    ],
)
def test_sums_of_rows_that_may_be_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: np.ndarray, expected: object
) -> None:
    monkeypatch.setattr("ingest.arrays.BLOCK_BYTES", 8)
    assert statistics(dense(tmp_path, values), np.arange(1))["row_sum"] == expected


@pytest.mark.parametrize("shape", [(1,), (1, 2), (2, 1)])
def test_no_sums_of_what_is_no_vector(tmp_path: Path, shape: tuple[int, ...]) -> None:
    assert "row_sum" not in statistics(dense(tmp_path, np.ones((3, *shape), np.float32)), np.arange(3))
