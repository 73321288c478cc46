"""The last lines of a file that may be large."""

from __future__ import annotations

from pathlib import Path

BLOCK = 64 * 1024


def end_of(path: Path, lines: int) -> tuple[int, bytes]:
    """The end of a file with its last ``lines`` lines at least, and the offset at which that begins."""
    with path.open("rb") as stream:
        position, tail = stream.seek(0, 2), b""
        # One newline more than lines asked for marks the beginning of the first of them.
        while position and tail.count(b"\n") <= lines:
            start = max(0, position - BLOCK)
            stream.seek(start)
            tail = stream.read(position - start) + tail
            position = start
    return position, tail


def last_lines(path: Path, count: int) -> tuple[list[str], bool]:
    """At most ``count`` lines from the end of ``path``, and whether there are lines before them.

    Reads backwards, block by block; no file is no lines. Bytes that are not UTF-8 are replaced.
    """
    if not path.is_file():
        return [], False
    position, tail = end_of(path, count)
    lines = tail.decode("utf-8", "replace").split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines[-count:], position > 0 or len(lines) > count
