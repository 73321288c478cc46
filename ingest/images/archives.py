"""The files of a zip or tar: listed, held against the limits, read one by one, never unpacked to paths."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ingest.faults import FaultList, file_pointer
from ingest.fields import Upload
from ingest.images.names import cleaned, path_problem
from ingest.options import Split
from jobs.errors import Fault, TooLarge

MAX_MEMBERS = 300_000
MAX_DIRECTORY_BYTES = 64 << 20
"""Longest directory of a zip, which zipfile reads whole."""
MAX_HEADER_BYTES = 1 << 20
"""Longest header of a tar's member (names in PAX records), which tarfile reads whole."""
CHUNK_BYTES = 1 << 20
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    gzip.BadGzipFile,
)
"""What the standard library raises over a damaged or foreign archive."""


class Unreadable(Exception):
    """A file of an archive cannot be read; says why."""


class Archive(ABC):
    """One uploaded archive. ``sizes``: the bytes of its plain files by their paths, in its own order."""

    split: Split | None = None
    """That of all its images, where the options tell."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.sizes: dict[str, int] = {}

    def at(self, *steps: str | int) -> str:
        """The pointer to a file of the archive, or a place in it."""
        return file_pointer(self.filename, *steps)

    def read(self, path: str, most: int) -> bytes:
        """The bytes of a file, ``most`` of them at most; Unreadable. Several threads may read at once."""
        if self.sizes[path] > most:
            raise Unreadable(f"has {self.sizes[path]:,} bytes, where {most:,} are allowed")
        try:
            data = self._read(path)
        except (*_BROKEN, OSError) as error:
            raise Unreadable(f"is damaged in the archive: {error or type(error).__name__}") from None
        if len(data) < self.sizes[path]:
            raise Unreadable("is cut off: the archive ends within it")
        return data

    @abstractmethod
    def _read(self, path: str) -> bytes: ...

    @abstractmethod
    def close(self) -> None: ...


class _Zip(Archive):
    def __init__(self, upload: Upload, limit: int, faults: FaultList) -> None:
        super().__init__(upload.filename)
        if _directory_bytes(upload.path) > MAX_DIRECTORY_BYTES:
            raise _too_large(upload, f"a directory of more than {MAX_DIRECTORY_BYTES:,} bytes")
        self._zip = zipfile.ZipFile(upload.path)
        self._members: dict[str, zipfile.ZipInfo] = {}
        try:
            self._list(upload, limit, faults)
        except BaseException:
            self._zip.close()
            raise

    def _list(self, upload: Upload, limit: int, faults: FaultList) -> None:
        members = [member for member in self._zip.infolist() if not member.is_dir()]
        _check_count(upload, len(members))
        _check_bytes(upload, sum(member.file_size for member in members), limit)
        for member in members:
            path = _checked(self, _zip_name(member), _zip_problem(member), faults)
            if path is not None:
                self._members[path] = member
                self.sizes[path] = member.file_size

    def _read(self, path: str) -> bytes:
        with self._zip.open(self._members[path]) as stream:
            return stream.read()

    def close(self) -> None:
        self._zip.close()


def _zip_name(member: zipfile.ZipInfo) -> str:
    """The name, read as UTF-8 though nothing says so (macOS) and not cut off at a NUL, as zipfile does."""
    if member.flag_bits & 0x800:
        return member.orig_filename
    with suppress(UnicodeError):
        return member.orig_filename.encode("cp437").decode("utf-8")
    return member.orig_filename


def _zip_problem(member: zipfile.ZipInfo) -> tuple[str, str] | None:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "link", "is a link; put the file itself into the archive"
    if kind not in (0, stat.S_IFREG):
        return "not_a_file", "is a device or pipe; an archive of images holds plain files"
    if member.flag_bits & 1:
        return "encrypted", "is encrypted; write the archive without a password"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "damaged", "is packed by a method other than deflate; write the archive with zip's usual one"
    return None


def _directory_bytes(path: Path) -> int:
    """How long a zip says that its directory is, read from the records at its end."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - (1 << 17)))
        tail = stream.read()
    end, end64 = tail.rfind(b"PK\5\6"), tail.rfind(b"PK\6\6")
    if end < 0 or end + 22 > len(tail):
        return 0
    (length,) = struct.unpack_from("<L", tail, end + 12)
    if 0 <= end64 <= len(tail) - 56:
        length = max(length, struct.unpack_from("<Q", tail, end64 + 40)[0])
    return int(length)


class _Tar(Archive):
    """A tar that is not packed: its files are read where they lie."""

    def __init__(self, upload: Upload, path: Path, limit: int, faults: FaultList) -> None:
        super().__init__(upload.filename)
        self._offsets: dict[str, int] = {}
        count = total = 0
        with _Headers(path) as headers, tarfile.open(fileobj=headers, mode="r:") as archive:
            while (member := archive.next()) is not None:
                # tarfile would remember all it has seen.
                archive.members.clear()  # type: ignore[attr-defined]  # the stubs leave it out
                if member.isdir():
                    continue
                count, total = count + 1, total + member.size
                _check_count(upload, count)
                _check_bytes(upload, total, limit)
                inside = _checked(self, member.name, _tar_problem(member), faults)
                if inside is not None:
                    self._offsets[inside] = member.offset_data
                    self.sizes[inside] = member.size
        self._stream = path.open("rb")

    def _read(self, path: str) -> bytes:
        return os.pread(self._stream.fileno(), self.sizes[path], self._offsets[path])

    def close(self) -> None:
        self._stream.close()


def _tar_problem(member: tarfile.TarInfo) -> tuple[str, str] | None:
    if member.issym() or member.islnk():
        return "link", "is a link; put the file itself into the archive (tar --dereference)"
    if not member.isreg() or member.issparse():
        return "not_a_file", "is a device, pipe or sparse file; an archive of images holds plain files"
    return None


class _Headers(io.FileIO):
    """The file that tarfile reads headers from: none of them may fill the memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return super().read(size) or b""


def open_archive(upload: Upload, spool: Path, limit: int, faults: FaultList) -> Archive | None:
    """The archive, its names and sizes checked and no file read; None where it is none (a fault).

    ``spool``: where a packed tar is unpacked to, as one file. TooLarge where there are more than
    MAX_MEMBERS files, or more than ``limit`` bytes unpacked.
    """
    with upload.path.open("rb") as stream:
        magic = stream.read(4)
    try:
        if magic[:2] == b"PK":
            archive: Archive = _Zip(upload, limit, faults)
        elif magic[:2] == b"\x1f\x8b":
            _unpack(upload, spool, limit)
            archive = _Tar(upload, spool, limit, faults)
        else:
            archive = _Tar(upload, upload.path, limit, faults)
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, 22):
            raise
        problem = f"not a whole zip, tar or tar.gz: {error or type(error).__name__}"
        faults.add(file_pointer(upload.filename), "damaged", problem)
        return None
    _check_nesting(archive, faults)
    return archive


def _unpack(upload: Upload, spool: Path, limit: int) -> None:
    """The tar within a gzip, as far as the limit lets it."""
    room = limit + limit // 8 + (1 << 20)
    with gzip.open(upload.path) as packed, spool.open("wb") as plain:
        for chunk in _chunks(packed):
            room -= len(chunk)
            if room < 0:
                raise _too_large(upload, f"it unpacks to more than {limit:,} bytes")
            plain.write(chunk)


def _chunks(stream: gzip.GzipFile) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _checked(archive: Archive, name: str, problem: tuple[str, str] | None, faults: FaultList) -> str | None:
    """The path of a file by its name in the archive; None where it is unsafe, there already or no file."""
    unsafe = path_problem(name)
    path = cleaned(name)
    if unsafe is not None:
        path = name[:200].encode("utf-8", "replace").decode("utf-8")
        problem = ("unsafe_path", unsafe)
    elif path in archive.sizes:
        problem = ("duplicate", "is there twice; leave one of the two out")
    if problem is None:
        return path
    code, detail = problem
    faults.add(archive.at(path), code, f"{path!r} {detail}")
    return None


def _check_nesting(archive: Archive, faults: FaultList) -> None:
    """A file is no folder of other files."""
    for path in archive.sizes:
        steps = path.split("/")
        for depth in range(1, len(steps)):
            folder = "/".join(steps[:depth])
            if folder in archive.sizes:
                faults.add(archive.at(path), "duplicate", f"{folder!r} is a file and a folder at once")


def _check_count(upload: Upload, count: int) -> None:
    if count > MAX_MEMBERS:
        raise _too_large(upload, f"more than {MAX_MEMBERS:,} files in one archive; upload several")


def _check_bytes(upload: Upload, unpacked: int, limit: int) -> None:
    """A small archive can unpack to a disk full of zeros; zipfile never yields more than is declared."""
    if unpacked > limit:
        raise _too_large(upload, f"it unpacks to {unpacked:,} bytes, where {limit:,} are allowed")


def _too_large(upload: Upload, problem: str) -> TooLarge:
    return TooLarge.of([Fault(file_pointer(upload.filename), "too_large", problem)])
