"""The audit file: one JSON line a change, appended by any number of processes, read from its end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from jobs.writing import compact_bytes

_BLOCK = 64 * 1024


class Trail:
    """``audit.jsonl``. What is in it survives the death of every process, not a power cut: no fsync."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add one line, whole; OSError. The file is opened each time, so that others may rotate it."""
        line = compact_bytes(entry) + b"\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def page(self, limit: int, before: int | None = None) -> tuple[list[dict[str, Any]], int | None]:
        """The newest entries that end before a byte, newest first, and the byte to go on before.

        Bytes are counted from the beginning, so pages do not shift when lines are added.
        """
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            return [], None
        with stream:
            size = stream.seek(0, os.SEEK_END)
            entries: list[dict[str, Any]] = []
            for begin, line in _lines_backwards(stream, size if before is None else min(before, size)):
                found = _entry(line)
                if found is not None:
                    entries.append(found)
                if len(entries) == limit:
                    return entries, begin or None
            return entries, None


def _lines_backwards(stream: BinaryIO, end: int) -> Iterator[tuple[int, bytes]]:
    """Each line that ends at or before ``end``, from the last to the first, with where it begins."""
    held = b""
    position = end
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        stream.seek(position)
        held = stream.read(size) + held
        whole = held.split(b"\n")
        held = whole.pop(0)
        begin = position + len(held) + 1
        places = []
        for line in whole:
            places.append((begin, line))
            begin += len(line) + 1
        yield from reversed(places)
    yield 0, held


def _entry(line: bytes) -> dict[str, Any] | None:
    """None for the nothing behind the last line, and for what a full volume has cut short."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
