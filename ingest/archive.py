"""The arrays inside NPZ files, read by the block: never unpickled, never whole in memory."""

from __future__ import annotations

import errno
import math
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ingest.arrays import Array, blocks
from ingest.faults import FaultList, file_pointer
from ingest.fields import Upload
from jobs.errors import Fault, TooLarge

MAX_MEMBERS = 10_000
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What zipfile and numpy raise over a damaged, encrypted or foreign archive."""


@dataclass(frozen=True)
class StoredArray:
    """One array of an archive, known by its header."""

    upload: Upload
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    fortran_order: bool
    member: str

    def read(self, spool: Path, faults: FaultList) -> Iterator[tuple[int, Array]]:
        """(first row, rows) from the first row on; a fault where the data ends early.

        ``spool`` names a file for an array in Fortran order, whose rows lie scattered.
        """
        try:
            with zipfile.ZipFile(self.upload.path) as archive, archive.open(self.member) as stream:
                if self.fortran_order and len(self.shape) > 1:
                    yield from self._scattered(stream, spool)
                else:
                    _read_header(stream)
                    yield from self._in_sequence(stream)
        except _BROKEN as error:
            place = file_pointer(self.upload.filename, self.name)
            faults.add(place, "damaged", f"{self.name!r}: {_words(error)}")

    def _in_sequence(self, stream: IO[bytes]) -> Iterator[tuple[int, Array]]:
        row_bytes = self.dtype.itemsize * math.prod(self.shape[1:])
        for block in blocks(self.shape[0], row_bytes):
            wanted = (block.stop - block.start) * row_bytes
            data = stream.read(wanted)
            if len(data) < wanted:
                raise EOFError
            yield block.start, np.frombuffer(data, self.dtype).reshape(-1, *self.shape[1:])

    def _scattered(self, stream: IO[bytes], spool: Path) -> Iterator[tuple[int, Array]]:
        with spool.open("wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
        try:
            array = np.load(spool, mmap_mode="r", allow_pickle=False)
            for block in blocks(self.shape[0], self.dtype.itemsize * math.prod(self.shape[1:])):
                yield block.start, np.ascontiguousarray(array[block])
        finally:
            spool.unlink()


def open_archive(upload: Upload, limit: int, faults: FaultList) -> dict[str, StoredArray]:
    """The arrays of one NPZ file by name, their headers checked and no data read.

    TooLarge where the archive says that it unpacks to more than ``limit`` bytes.
    """
    arrays: dict[str, StoredArray] = {}
    try:
        with zipfile.ZipFile(upload.path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check_sizes(upload, members, limit)
            for member in members:
                array = _array(upload, archive, member, faults)
                if array is not None and array.name in arrays:
                    place = file_pointer(upload.filename, array.name)
                    faults.add(place, "duplicate", f"two arrays are called {array.name!r}")
                elif array is not None:
                    arrays[array.name] = array
            if not members:
                faults.add(file_pointer(upload.filename), "empty", "the archive holds no array")
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        # EINVAL: a damaged directory sends zipfile to a negative offset.
        faults.add(file_pointer(upload.filename), "damaged", f"not a whole NPZ file: {_words(error)}")
    return arrays


def _check_sizes(upload: Upload, members: list[zipfile.ZipInfo], limit: int) -> None:
    """A small archive can unpack to a disk full of zeros; zipfile never yields more than is declared."""
    unpacked = sum(member.file_size for member in members)
    problem = None
    if len(members) > MAX_MEMBERS:
        problem = f"{len(members):,} arrays, where {MAX_MEMBERS:,} are allowed"
    elif unpacked > limit:
        problem = f"unpacks to {unpacked:,} bytes, where {limit:,} are allowed"
    if problem:
        raise TooLarge.of([Fault(file_pointer(upload.filename), "too_large", problem)])


def _array(
    upload: Upload, archive: zipfile.ZipFile, member: zipfile.ZipInfo, faults: FaultList
) -> StoredArray | None:
    name = member.filename.removesuffix(".npy")
    place = file_pointer(upload.filename, name)
    if name == member.filename:
        faults.add(place, "not_an_array", f"{name!r} is no .npy array; write the file with numpy.savez")
        return None
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        faults.add(place, "damaged", f"{name!r} is packed by a method that numpy.savez never uses")
        return None
    with archive.open(member) as stream:
        try:
            shape, fortran_order, dtype, header_bytes = _read_header(stream)
        except ValueError as error:
            faults.add(place, "damaged", f"{name!r} has no readable .npy header: {error}")
            return None
    problem = _problem(shape, dtype)
    if problem is None and header_bytes + math.prod(shape) * dtype.itemsize != member.file_size:
        declared = f"its header declares {shape} of {dtype}, not what its {member.file_size:,} bytes hold"
        problem = ("damaged", f"{declared}: the array is truncated or damaged")
    if problem:
        code, detail = problem
        faults.add(place, code, f"{name!r}: {detail}")
        return None
    return StoredArray(upload, name, shape, dtype, fortran_order, member.filename)


def _problem(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> tuple[str, str] | None:
    if dtype.hasobject:
        return (
            "pickled",
            "holds pickled Python objects, which are never loaded; save plain numbers",
        )
    if dtype.kind not in "buifUS":
        return "unsupported_dtype", f"{dtype} cannot be trained on; save it as float32, an integer or uint8"
    if not shape:
        return "no_rows", "is a single number; the first axis must be the rows"
    if math.prod(shape) == 0:
        return "empty", f"is empty, of shape {shape}"
    return None


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[np.generic], int]:
    """Shape, Fortran order, dtype and length of a .npy header; ValueError where it is none."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"version {version} of the .npy format")
    shape, fortran_order, dtype = _HEADERS[version](stream)
    return shape, fortran_order, dtype, stream.tell()


def _words(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the data ends early; the file is truncated"
    if isinstance(error, zipfile.BadZipFile):
        return f"{error} (truncated or damaged; write it again with numpy.savez and upload all of it)"
    return f"{error or type(error).__name__}"
