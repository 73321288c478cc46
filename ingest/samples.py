"""The samples of one CTF stream, turned into a dense, categorical or sparse column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ingest.arrays import GrowingArray
from ingest.columns import (
    MAX_CLASSES,
    CategoricalWriter,
    Column,
    DenseWriter,
    Place,
    SparseWriter,
    parse_numbers,
)
from ingest.faults import FaultList
from ingest.field_options import LARGEST_INDEX, FieldOptions

NUMBERS_AT_ONCE = 1 << 16


class BadSample(Exception):
    """What is wrong with one sample: a code and words to follow the stream's name."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Samples(Protocol):
    """Takes samples as written, one a step."""

    def add(self, values: Sequence[bytes], place: Place) -> None:
        """Raises BadSample, and then has not taken it."""

    def close(self) -> Column: ...


def parse_dense(values: Sequence[bytes]) -> list[float]:
    """The numbers of a dense sample."""
    try:
        if b"_" not in b"".join(values):
            return list(map(float, values))
    except ValueError:
        pass
    wrong = next(value for value in values if parse_numbers([value.decode("utf-8", "replace")]) is None)
    shown = wrong[:40].decode("utf-8", "replace")
    raise BadSample("malformed_ctf", f"holds {shown!r} where a number is expected")


def parse_sparse(values: Sequence[bytes], dimension: int) -> list[tuple[int, float]]:
    """The (index, value) pairs of a sparse sample, by rising index."""
    pairs = []
    for pair in values:
        index, colon, number = pair.partition(b":")
        try:
            if b"_" in pair or not colon:
                raise ValueError
            pairs.append((int(index), float(number)))
        except ValueError:
            shown = pair[:40].decode("utf-8", "replace")
            raise BadSample("malformed_ctf", f"holds {shown!r} where index:value is expected") from None
    pairs.sort()
    if pairs and not (pairs[0][0] >= 0 and pairs[-1][0] < dimension):
        wrong = pairs[0][0] if pairs[0][0] < 0 else pairs[-1][0]
        raise BadSample("out_of_range", f"has the index {wrong}, which is not in 0..{dimension - 1}")
    if len({index for index, _ in pairs}) < len(pairs):
        raise BadSample("malformed_ctf", "names an index twice")
    return pairs


class DenseSamples:
    """Rows of equally many numbers."""

    def __init__(self, shape: Sequence[int], options: FieldOptions, path: Path, faults: FaultList) -> None:
        self._size = math.prod(shape)
        self._writer = DenseWriter(path.with_suffix(".values.npy"), shape, faults, missing=options.missing)
        self._numbers: list[float] = []
        self._places: list[Place] = []

    def add(self, values: Sequence[bytes], place: Place) -> None:
        numbers = parse_dense(values)
        if len(numbers) != self._size:
            raise BadSample("ragged", f"has {len(numbers)} values where {self._size} are expected")
        self._numbers += numbers
        self._places.append(place)
        if len(self._numbers) >= NUMBERS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        places = self._places
        self._writer.append(np.array(self._numbers), lambda row, element: _numbered(places[row], element))
        self._numbers, self._places = [], []

    def close(self) -> Column:
        self._flush()
        return self._writer.close()


class SparseSamples:
    """Rows of index:value pairs; without a told dimension, the largest index makes it."""

    def __init__(self, dimension: int | None, path: Path, faults: FaultList) -> None:
        self._bound = dimension or LARGEST_INDEX
        self._writer = SparseWriter(path, dimension, faults)
        self._lengths: list[int] = []
        self._indices: list[int] = []
        self._numbers: list[float] = []
        self._places: list[Place] = []
        """Of each pair."""

    def add(self, values: Sequence[bytes], place: Place) -> None:
        for index, number in (pairs := parse_sparse(values, self._bound)):
            self._indices.append(index)
            self._numbers.append(number)
            self._places.append(place)
        self._lengths.append(len(pairs))
        if len(self._lengths) + len(self._numbers) >= NUMBERS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        places = self._places
        self._writer.append(self._lengths, self._indices, self._numbers, lambda pair, _: places[pair])
        self._lengths, self._indices, self._numbers, self._places = [], [], [], []

    def close(self) -> Column:
        self._flush()
        return self._writer.close()


class OneHotSamples:
    """Rows with a single 1, sparse or dense: its position is the class."""

    def __init__(self, size: int | None, options: FieldOptions, path: Path) -> None:
        """``size``: values of a dense row; None for sparse ones."""
        self._size = size
        self._classes = options.classes
        self._bound = len(options.classes) if options.classes is not None else MAX_CLASSES
        self._codes = GrowingArray(path.with_suffix(".values.npy"), np.int32)
        self._buffer: list[int] = []
        self._largest = 0

    def add(self, values: Sequence[bytes], place: Place) -> None:
        code = self._sparse_code(values) if self._size is None else self._dense_code(values, self._size)
        self._largest = max(self._largest, code)
        self._buffer.append(code)
        if len(self._buffer) >= NUMBERS_AT_ONCE:
            self._flush()

    def _sparse_code(self, values: Sequence[bytes]) -> int:
        pairs = parse_sparse(values, self._bound)
        if len(pairs) != 1 or pairs[0][1] != 1:
            raise BadSample("not_categorical", "is categorical, so each sample is one index with the value 1")
        return pairs[0][0]

    def _dense_code(self, values: Sequence[bytes], size: int) -> int:
        numbers = parse_dense(values)
        if len(numbers) != size or numbers.count(1) != 1 or numbers.count(0) != size - 1:
            raise BadSample("not_categorical", f"is categorical, so a sample is one 1 and {size - 1} times 0")
        return numbers.index(1)

    def _flush(self) -> None:
        self._codes.append(np.array(self._buffer, dtype=np.int32))
        self._buffer = []

    def close(self) -> Column:
        self._flush()
        count = self._codes.close()
        classes = self._classes or [str(code) for code in range(self._size or self._largest + 1)]
        files = {"values": self._codes.path}
        return Column("categorical", (len(classes),), files, count, dtype="int32", classes=classes)


class NumberedSamples:
    """Rows of one whole number, which is the class."""

    def __init__(self, options: FieldOptions, path: Path, faults: FaultList, cure: str) -> None:
        given = options.classes
        self._names = given if given is not None and parse_numbers(given) is None else []
        self._writer = CategoricalWriter(path.with_suffix(".values.npy"), faults, given, cure)
        self._texts: list[str] = []
        self._places: list[Place] = []

    def add(self, values: Sequence[bytes], place: Place) -> None:
        numbers = parse_dense(values)
        if len(numbers) != 1 or not numbers[0].is_integer():
            raise BadSample("not_categorical", "is categorical, so each sample is one whole number")
        code = int(numbers[0])
        self._texts.append(self._names[code] if 0 <= code < len(self._names) else str(code))
        self._places.append(place)
        if len(self._texts) >= NUMBERS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        places = self._places
        self._writer.append(self._texts, lambda row, _: places[row])
        self._texts, self._places = [], []

    def close(self) -> Column:
        self._flush()
        return self._writer.close()


def _numbered(place: Place, element: int) -> Place:
    pointer, words = place
    return pointer, f"{words}, value {element + 1}"
