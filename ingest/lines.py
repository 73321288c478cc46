"""Lines of a text file, bounded in length."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

LONGEST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"


class LineTooLong(Exception):
    """A line of more than LONGEST_LINE bytes: hardly a text file, and too much for memory."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is longer than {LONGEST_LINE:,} bytes")
        self.number = number


def lines(path: Path) -> Iterator[bytes]:
    """Every line with its end, a UTF-8 byte-order mark in front cut off."""
    with path.open("rb") as stream:
        bom = stream.read(len(_BOM))
        stream.seek(len(_BOM) if bom == _BOM else 0)
        for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE + 1), b""), 1):
            if len(line) > LONGEST_LINE:
                raise LineTooLong(number)
            yield line
