"""Categories by the hash of their text: nothing is learned of the data, and no class is unknown."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ingest.arrays import Array, GrowingArray, blocks, open_rows
from ingest.columns import Column
from ingest.faults import FaultList
from ingest.field_options import HashOptions
from ingest.fields import FieldPlan
from ingest.statistics import MOST_ELEMENTS

REMEMBERED = 100_000
"""Texts of a column whose places are kept."""


def place_of(column: str, text: str, hashing: HashOptions) -> int:
    """Where ``column=text`` is counted: below the dimension, the same on every machine."""
    key = hashing.seed.to_bytes(8, "little")
    digest = hashlib.blake2b(f"{column}={text}".encode(), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little") % hashing.hash


class HashWriter:
    """One column of texts as places."""

    def __init__(self, path: Path, name: str, hashing: HashOptions) -> None:
        self._places = GrowingArray(path, np.int32)
        self._name = name
        self._hashing = hashing
        self._known: dict[str, int] = {}

    def append(self, texts: Sequence[str]) -> None:
        if len(self._known) > REMEMBERED:
            self._known.clear()
        for text in set(texts) - self._known.keys():
            self._known[text] = place_of(self._name, text, self._hashing)
        self._places.append(np.array([self._known[text] for text in texts], dtype=np.int32))

    def close(self) -> Column:
        count = self._places.close()
        return Column("categorical", (self._hashing.hash,), {"values": self._places.path}, count, "int32")


def gather_hashed(plan: FieldPlan, columns: Sequence[Column], path: Path, faults: FaultList) -> Column:
    """How often each place is hit by a row's columns: dense, or sparse if told; they are deleted."""
    hashing = plan.options.hashing
    assert hashing is not None
    sparse = plan.options.kind == "sparse"
    if hashing.hash > MOST_ELEMENTS and not sparse:
        problem = f'a dense field of {hashing.hash:,} elements a row; make it "kind": "sparse"'
        faults.add(plan.at("encode", "hash"), "too_large", problem)
        faults.raise_if_any()
    count = columns[0].count
    writer = _SparseCounts(path, hashing.hash) if sparse else _DenseCounts(path, hashing.hash)
    for block in blocks(count, 16 * len(columns) if sparse else 4 * hashing.hash):
        places = np.stack([open_rows(column.files["values"])[block] for column in columns], axis=1)
        rows = np.arange(len(places), dtype=np.int64)[:, None]
        hit, times = np.unique(rows * hashing.hash + places, return_counts=True)
        writer.append(len(places), hit // hashing.hash, hit % hashing.hash, times)
    for column in columns:
        column.remove()
    return Column("sparse" if sparse else "dense", (hashing.hash,), writer.close(), count)


class _DenseCounts:
    def __init__(self, path: Path, dimension: int) -> None:
        self._values = GrowingArray(path, np.float32, (dimension,))

    def append(self, count: int, rows: Array, places: Array, times: Array) -> None:
        matrix = np.zeros((count, *self._values.shape), np.float32)
        matrix[rows, places] = times
        self._values.append(matrix)

    def close(self) -> dict[str, Path]:
        self._values.close()
        return {"values": self._values.path}


class _SparseCounts:
    def __init__(self, path: Path, dimension: int) -> None:
        self._values = GrowingArray(path.with_suffix(".values.npy"), np.float32)
        self._indices = GrowingArray(path.with_suffix(".indices.npy"), np.int32)
        self._indptr = GrowingArray(path.with_suffix(".indptr.npy"), np.int64)
        self._indptr.append(np.zeros(1))

    def append(self, count: int, rows: Array, places: Array, times: Array) -> None:
        self._indptr.append(self._values.rows + np.cumsum(np.bincount(rows, minlength=count)))
        self._values.append(times)
        self._indices.append(places)

    def close(self) -> dict[str, Path]:
        arrays = {"values": self._values, "indices": self._indices, "indptr": self._indptr}
        for growing in arrays.values():
            growing.close()
        return {role: growing.path for role, growing in arrays.items()}
