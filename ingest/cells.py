"""Rows by the block, column by column, whatever the format holds its values as."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ingest.arrays import Array
from ingest.attributes import BOOLEANS
from ingest.columns import parse_numbers

ROWS_AT_ONCE = 4096
"""Few enough that Python's garbage collector does not come to look through them again and again."""
CELLS_AT_ONCE = 1 << 18

Words = list[str | None] | None
"""The tokens of one row; None where they are missing."""


class Cells(Protocol):
    """The values of one column in a block."""

    def texts(self) -> list[str]:
        """Each without the space around it; a missing one is empty."""

    def numbers(self) -> Sequence[float] | Array | None:
        """NaN where one is missing; None where a value spells no number."""

    def vectors(self, size: int) -> tuple[Array, list[tuple[int, int]]]:
        """(rows, size) float64, NaN where missing; (row, length) of each row of another length."""

    def words(self) -> list[Words]:
        """Of a column of lists."""


@dataclass(frozen=True)
class Block:
    """Some rows, column by column."""

    rows: Sequence[int]
    """The number of each row in its file, from 1, the header not counted."""
    lines: Sequence[int] | None
    """The line of each row; None where rows are no lines, or a quoted value spans some."""
    columns: Mapping[str, Cells]

    def row_words(self, index: int) -> str:
        """``row 17 (line 18)``"""
        line = f" (line {self.lines[index]})" if self.lines else ""
        return f"row {self.rows[index]}{line}"


def rows_at_once(columns: int) -> int:
    """How many rows of so many columns make a block."""
    return max(1, min(ROWS_AT_ONCE, CELLS_AT_ONCE // max(1, columns)))


class TextCells:
    """Values of a text file."""

    def __init__(self, raw: Sequence[str]) -> None:
        self._raw = raw

    def texts(self) -> list[str]:
        return [text.strip() for text in self._raw]

    def numbers(self) -> Sequence[float] | None:
        # Numbers may keep the space around them, and most columns are numbers.
        return parse_numbers(self._raw)

    def vectors(self, size: int) -> tuple[Array, list[tuple[int, int]]]:
        """A text is one number at most; source.py reads it as such."""
        raise NotImplementedError

    def words(self) -> list[Words]:
        raise NotImplementedError


class ValueCells:
    """Values of JSON: None, booleans, numbers, texts, or lists of numbers or of texts."""

    def __init__(self, values: Sequence[object]) -> None:
        self._values = values

    def texts(self) -> list[str]:
        return list(map(as_text, self._values))

    def numbers(self) -> Sequence[float] | Array | None:
        if any(isinstance(value, str) for value in self._values):
            return parse_numbers(self.texts())
        return list(map(as_number, self._values))

    def vectors(self, size: int) -> tuple[Array, list[tuple[int, int]]]:
        found = np.full((len(self._values), size), np.nan)
        wrong = []
        for row, value in enumerate(self._values):
            if isinstance(value, list) and len(value) == size:
                found[row] = list(map(as_number, value))
            elif value is not None:
                wrong.append((row, len(value) if isinstance(value, list) else 1))
        return found, wrong

    def words(self) -> list[Words]:
        return [
            [None if word is None else as_text(word) for word in value] if isinstance(value, list) else None
            for value in self._values
        ]


def as_text(value: object) -> str:
    """A value of JSON as a class is called: 5 and 5.0 are ``5``; what is missing is empty."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return BOOLEANS[value]
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)
    return str(value)


def as_number(value: object) -> float:
    """A number of JSON; NaN where it is missing, infinite where no float64 holds it."""
    if value is None:
        return math.nan
    assert isinstance(value, int | float)
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
