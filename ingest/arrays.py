"""Arrays on disk: .npy files that grow by rows and are read back memory-mapped."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BLOCK_BYTES = 4 << 20
"""About how much of an array is in memory at a time."""


class GrowingArray:
    """A .npy file that grows by rows.

    Its header is padded so that the final row count fits in place. No descriptor is held
    between appends: a wide table has more columns than a process may have files open.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, shape: Sequence[int] = ()) -> None:
        self.path = path
        self.dtype = np.dtype(dtype)
        self.shape = tuple(shape)
        self.rows = 0
        path.write_bytes(self._header(10**19))

    def append(self, rows: Array) -> None:
        """(n, *shape) or anything that reshapes to it, in a dtype that is cast without a check."""
        block = np.ascontiguousarray(rows, dtype=self.dtype).reshape(-1, *self.shape)
        with self.path.open("ab") as stream:
            stream.write(block.data if block.size else b"")
        self.rows += len(block)

    def close(self) -> int:
        """Write the row count into the header; returns it."""
        header = self._header(self.rows)
        with self.path.open("r+b") as stream:
            stream.write(header)
        return self.rows

    def _header(self, rows: int) -> bytes:
        room = len(repr((10**19, *self.shape))) + 128
        padded = -(-room // 64) * 64
        words = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False}
        text = repr({**words, "shape": (rows, *self.shape)}).encode("ascii")
        prefix = b"\x93NUMPY\x01\x00" + (padded - 10).to_bytes(2, "little")
        return prefix + text.ljust(padded - 11) + b"\n"


def open_rows(path: Path, *, writable: bool = False) -> Array:
    """The memory-mapped array at ``path``; an empty one is read (nothing can be mapped)."""
    with path.open("rb") as stream:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if math.prod(shape) == 0:
        return np.empty(shape, dtype)
    array: Array = np.load(path, mmap_mode="r+" if writable else "r", allow_pickle=False)
    return array


def blocks(rows: int, row_bytes: int) -> Iterator[slice]:
    """Slices over ``rows`` rows, each of about BLOCK_BYTES."""
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def sync(folder: Path) -> None:
    """Make every file in ``folder`` durable."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
