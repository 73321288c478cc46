"""JSON as it is written to the volume and sent to callers."""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def document_bytes(value: Any) -> bytes:
    """A JSON document for people to read, too."""
    try:
        return orjson.dumps(value, option=_OPTIONS)
    except orjson.JSONEncodeError:
        # An integer of more than 64 bits.
        return json.dumps(value, indent=2, sort_keys=True, allow_nan=False).encode() + b"\n"


def compact_bytes(value: Any) -> bytes:
    """JSON for programs."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        # An integer of more than 64 bits, or half of a surrogate pair.
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def write_new(path: Path, data: bytes) -> None:
    """A file that nobody else writes meanwhile; not brought to the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Bring all that was written to the file system of ``folder`` to its disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _LIBC.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


_LIBC = ctypes.CDLL(None, use_errno=True)
