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
