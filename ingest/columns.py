"""Columns as the readers write them: dense, categorical and sparse."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ingest.arrays import Array, GrowingArray, blocks, open_rows
from ingest.faults import FaultList, nearest
from jobs.dataset import BoxesSchema, ColumnSchema, ProposalsSchema, Scaling, TokensSchema
from jobs.errors import Fault

Place = tuple[str, str]
"""A pointer into the upload, and the same place in words."""
Locate = Callable[[int, int], Place]
"""(row of the appended block, element of the row) -> where it came from."""

MAX_CLASSES = 100_000


@dataclass
class Column:
    """One column as a reader left it. ``files`` by role, as jobs.dataset.FieldSchema has them."""

    kind: Literal["dense", "categorical", "sparse"]
    shape: tuple[int, ...]
    files: dict[str, Path]
    count: int
    dtype: str = "float32"
    classes: list[str] | None = None
    sequence: bool = False
    max_length: int | None = None
    elements: list[str] | None = None
    """Names of the elements of a gathered column."""
    has_missing: bool = False
    """Whether NaN stands where the training mean shall."""
    sources: list[ColumnSchema] = field(default_factory=list)
    fill: float | list[float] | None = None
    tokens: TokensSchema | None = None
    standardized: Scaling | None = None
    boxes: BoxesSchema | None = None
    proposals: ProposalsSchema | None = None
    """This and the five above: as FieldSchema has them."""

    def remove(self) -> None:
        """Delete its files."""
        for path in self.files.values():
            path.unlink()


class DenseWriter:
    """A dense column: float32, or uint8 as it comes. Refuses NaN and infinity by name."""

    def __init__(
        self,
        path: Path,
        shape: Sequence[int],
        faults: FaultList,
        *,
        missing: float | Literal["error", "mean"] = "error",
        dtype: Literal["float32", "uint8"] = "float32",
    ) -> None:
        self._values = GrowingArray(path, dtype, shape)
        self._size = math.prod(shape)
        self._missing = missing
        self._faults = faults
        self._has_missing = False

    def append(self, values: Array, locate: Locate) -> None:
        """(n, ...) numbers, as many a row as the shape has elements; NaN is a missing number."""
        block = values.reshape(-1, self._size)
        if block.dtype.kind == "f":
            block = self._checked(block, locate)
        self._values.append(block)

    def _checked(self, block: Array, locate: Locate) -> Array:
        with np.errstate(over="ignore"):
            narrow = block.astype(np.float32)
        if np.isfinite(narrow).all():
            return narrow
        absent = np.isnan(block)
        if self._missing == "mean":
            self._has_missing = self._has_missing or bool(absent.any())
        elif self._missing != "error":
            narrow[absent] = self._missing
        wrong = ~np.isfinite(narrow)
        if self._missing == "mean":
            wrong &= ~absent
        cells = np.argwhere(wrong)
        self._faults.extend(len(cells), (_number_fault(block[r, e], locate(r, e)) for r, e in cells.tolist()))
        return narrow

    def close(self) -> Column:
        count = self._values.close()
        dtype = self._values.dtype.name
        files = {"values": self._values.path}
        return Column("dense", self._values.shape, files, count, dtype=dtype, has_missing=self._has_missing)


def _number_fault(value: float, place: Place) -> Fault:
    where, words = place
    if np.isnan(value):
        cure = "correct it, drop the row, or say in the field's option 'missing' what stands for it"
        return Fault(where, "nan", f"{words}: a missing number (empty or NaN); {cure}")
    if np.isinf(value):
        return Fault(where, "infinite", f"{words}: {value} is not finite; correct it or drop the row")
    return Fault(where, "too_large", f"{words}: {value:g} is beyond the float32 that training uses")


class CategoricalWriter:
    """A categorical column: int32 codes of texts.

    Without given classes, codes are handed out as texts appear and put in order at the end:
    by number where all texts are numbers, by text else.
    """

    def __init__(self, path: Path, faults: FaultList, given: Sequence[str] | None, cure: str) -> None:
        """``cure``: what to do about a text that is none of the given classes."""
        self._codes = GrowingArray(path, np.int32)
        self._faults = faults
        self._given = given is not None
        self._cure = cure
        self._lookup = {name: code for code, name in enumerate(given or ())}
        self._full = False

    def append(self, texts: Sequence[str], locate: Locate) -> None:
        """One text a row."""
        self._learn(set(texts), locate)
        codes = [self._lookup.get(text, -1) for text in texts]
        if self._given and -1 in codes:
            unknown = [row for row, code in enumerate(codes) if code < 0]
            self._faults.extend(len(unknown), (self._fault(texts[row], locate(row, 0)) for row in unknown))
        self._codes.append(np.array(codes, dtype=np.int32))

    def append_codes(self, codes: Array) -> None:
        """Rows whose codes are known already."""
        self._codes.append(codes)

    def _learn(self, texts: set[str], locate: Locate) -> None:
        if self._given or self._full:
            return
        for text in texts - self._lookup.keys():
            self._lookup[text] = len(self._lookup)
        if len(self._lookup) > MAX_CLASSES:
            self._full = True
            where, _ = locate(0, 0)
            problem = f"more than {MAX_CLASSES:,} different values: too many for classes; exclude this column"
            self._faults.add(where, "too_many_classes", problem)

    def _fault(self, text: str, place: Place) -> Fault:
        where, words = place
        known = nearest(text, self._lookup)
        return Fault(where, "unknown_class", f"{words}: {text!r} is no class; {self._cure}; {known}")

    def close(self) -> Column:
        count = self._codes.close()
        classes = list(self._lookup)
        if not self._given and not self._full:
            classes = in_order(classes)
            position = {name: code for code, name in enumerate(classes)}
            rank = np.array([position[name] for name in self._lookup], dtype=np.int32)
            codes = open_rows(self._codes.path, writable=True)
            for block in blocks(count, 4):
                codes[block] = rank[codes[block]]
        files = {"values": self._codes.path}
        return Column("categorical", (len(classes),), files, count, dtype="int32", classes=classes)


def in_order(names: Iterable[str]) -> list[str]:
    """Classes by number where all are numbers, by text else."""
    names = sorted(names)
    numbers = parse_numbers(names)
    if numbers is None or not np.isfinite(numbers).all():
        return names
    return [name for _, name in sorted(zip(numbers, names, strict=True))]


def parse_numbers(texts: Sequence[str]) -> list[float] | None:
    """The numbers that the texts spell, or None where one spells none."""
    if "_" in "".join(texts):
        # float() reads "1_000"; no data file means it so.
        return None
    try:
        return list(map(float, texts))
    except ValueError:
        return None


class SparseWriter:
    """A sparse column: rows of (index, value), stored compressed."""

    def __init__(self, path: Path, dimension: int | None, faults: FaultList) -> None:
        self._values = DenseWriter(path.with_suffix(".values.npy"), (), faults)
        self._indices = GrowingArray(path.with_suffix(".indices.npy"), np.int32)
        self._indptr = GrowingArray(path.with_suffix(".indptr.npy"), np.int64)
        self._indptr.append(np.zeros(1, dtype=np.int64))
        self._dimension = dimension
        self._stored = 0
        self._largest = -1

    def append(
        self, lengths: Sequence[int], indices: Sequence[int], values: Sequence[float], locate: Locate
    ) -> None:
        """Rows of ``lengths`` pairs each; ``locate`` takes the number of the pair in the block."""
        ends = self._stored + np.cumsum(np.array(lengths, dtype=np.int64))
        self._indptr.append(ends)
        self._stored = int(ends[-1]) if len(ends) else self._stored
        self._indices.append(np.array(indices, dtype=np.int32))
        self._values.append(np.array(values, dtype=np.float64), locate)
        self._largest = max(self._largest, max(indices, default=-1))

    def close(self) -> Column:
        values = self._values.close()
        self._indices.close()
        rows = self._indptr.close() - 1
        files = {"values": values.files["values"], "indices": self._indices.path, "indptr": self._indptr.path}
        dimension = self._dimension or max(1, self._largest + 1)
        return Column("sparse", (dimension,), files, rows)
