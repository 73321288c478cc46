"""What the schema says about a column's numbers, accumulated in float64 block by block."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingest.arrays import Array, blocks, open_rows
from ingest.columns import Column

MOST_ELEMENTS = 65_536
"""Dense fields with more elements get no mean and deviation per element."""
ROWS_AT_ONCE = 1 << 16


@dataclass
class Moments:
    """Count, mean and squared deviations per element (Chan, Golub and LeVeque's pairwise update).

    NaN entries are missing numbers and are left out.
    """

    count: Array
    mean: Array
    squares: Array
    low: Array
    high: Array

    @classmethod
    def of_size(cls, size: int) -> Moments:
        zero = np.zeros(size)
        return cls(zero, zero.copy(), zero.copy(), np.full(size, np.inf), np.full(size, -np.inf))

    def add(self, block: Array) -> None:
        """(n, size) numbers."""
        numbers = block.astype(np.float64)
        present = ~np.isnan(numbers)
        count = present.sum(axis=0)
        divisor = np.maximum(count, 1)
        mean = np.where(present, numbers, 0).sum(axis=0) / divisor
        squares = (np.where(present, numbers - mean, 0) ** 2).sum(axis=0)
        delta = mean - self.mean
        total = np.maximum(self.count + count, 1)
        self.mean += np.where(count > 0, delta * count / total, 0)
        self.squares += squares + np.where(count > 0, delta**2 * self.count * count / total, 0)
        self.count = self.count + count
        self.low = np.fmin(self.low, np.fmin.reduce(numbers, axis=0, initial=np.inf))
        self.high = np.fmax(self.high, np.fmax.reduce(numbers, axis=0, initial=-np.inf))

    def deviation(self) -> Array:
        """Population deviation; exactly 0 where all numbers are equal."""
        spread = np.sqrt(self.squares / np.maximum(self.count, 1))
        return np.where(self.low == self.high, 0.0, spread)


def training_moments(column: Column, train: Array) -> Moments:
    """Of a dense column's elements over the training rows (or their steps)."""
    values = open_rows(column.files["values"])
    size = math.prod(column.shape)
    moments = Moments.of_size(size)
    flat = values.reshape(column.count, size)
    for entries in entry_blocks(column, train):
        for block in blocks(len(entries), size * 12):
            moments.add(flat[entries[block]])
    return moments


def statistics(column: Column, train: Array) -> dict[str, Any]:
    """min, max over all rows; mean, std, histogram over the training rows: FieldSchema's words."""
    values = open_rows(column.files["values"])
    if column.kind == "categorical":
        assert column.classes is not None
        histogram = np.zeros(len(column.classes), dtype=np.int64)
        for entries in entry_blocks(column, train):
            histogram += np.bincount(values[entries], minlength=len(histogram))
        return {"histogram": histogram.tolist()}
    found: dict[str, Any] = {}
    every = blocks(len(values), values[:1].nbytes)
    extremes = [(values[block].min(), values[block].max()) for block in every]
    if extremes:
        found["min"] = float(min(low for low, _ in extremes))
        found["max"] = float(max(high for _, high in extremes))
    size = math.prod(column.shape)
    if column.kind == "dense" and size <= MOST_ELEMENTS:
        moments = training_moments(column, train)
        found["mean"] = moments.mean.tolist()
        found["std"] = moments.deviation().tolist()
    if column.kind == "dense" and len(column.shape) == 1 and size > 1 and extremes:
        found["row_sum"] = _row_sum(values) if found["min"] >= 0 and found["max"] <= 1 else None
    return found


def _row_sum(values: Array) -> tuple[float, float]:
    """Smallest and largest sum over the elements of a row."""
    sums = [values[block].sum(axis=1, dtype=np.float64) for block in blocks(len(values), values[:1].nbytes)]
    return float(min(block.min() for block in sums)), float(max(block.max() for block in sums))


def axes_of(columns: Mapping[str, Column]) -> dict[str, str]:
    """For each column of sequences the first one by name whose sequences are as long, row by row."""
    first: dict[bytes, str] = {}
    axes = {}
    for name, column in sorted(columns.items()):
        if column.sequence:
            with column.files["offsets"].open("rb") as stream:
                lengths = hashlib.file_digest(stream, "sha256").digest()
            axes[name] = first.setdefault(lengths, name)
    return axes


def shortest(column: Column) -> int | None:
    """The steps of the shortest sequence; None where the column has none."""
    if not column.sequence:
        return None
    offsets = open_rows(column.files["offsets"])
    starts = range(0, len(offsets) - 1, ROWS_AT_ONCE)
    return int(min(np.diff(offsets[start : start + ROWS_AT_ONCE + 1]).min() for start in starts))


def entry_blocks(column: Column, train: Array) -> Iterator[Array]:
    """The entries of ``values`` that belong to the training rows: rows, or the steps of sequences."""
    if not column.sequence:
        for start in range(0, len(train), ROWS_AT_ONCE):
            yield train[start : start + ROWS_AT_ONCE]
        return
    offsets = open_rows(column.files["offsets"])
    step = max(1, 16 * ROWS_AT_ONCE // max(1, column.max_length or 1))
    for start in range(0, len(train), step):
        rows = train[start : start + step]
        begins, lengths = offsets[rows], offsets[rows + 1] - offsets[rows]
        # Counting up within each sequence: the place in the block less the sequence's first place.
        places = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        yield np.repeat(begins, lengths) + places
