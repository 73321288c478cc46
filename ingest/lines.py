"""Lines of a text file, numbered as an editor numbers them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE = 64 << 20
_BOM = b"\xef\xbb\xbf"


class LineTooLong(Exception):
    """A line of more than LONGEST_LINE bytes: hardly a text file, and too much for memory."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is longer than {LONGEST_LINE:,} bytes")
        self.number = number


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """``(number, line)`` from 1 on, ends of line kept, a UTF-8 byte-order mark cut off."""
    with path.open("rb") as stream:
        number = 1
        while line := stream.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise LineTooLong(number)
            yield number, line.removeprefix(_BOM) if number == 1 else line
            number += 1
