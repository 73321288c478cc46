"""A multipart upload, written to the volume as it arrives.

No more than a batch of the body is ever in memory. The files lie in one folder of
``VOLUME/incoming`` whose lock is held while the request lives; whatever goes wrong, the
folder goes too, and a folder that a killed process left behind is swept at the next start.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from anyio import to_thread
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from app.body import json_object
from jobs.errors import Fault, InvalidInput, JobsError, TooLarge, Unavailable
from trainer.layout import Volume

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

BATCH_BYTES = 1 << 20
OPTIONS_BYTES = 1 << 20
MAX_FILES = 1000
FREE_BYTES = 64 << 20
"""What an upload must leave free on the volume: records and checkpoints are written there too."""
DRAIN_BYTES = 64 << 20
"""How much of a refused body is still read, so that its sender comes to see the answer."""


@dataclass
class Upload:
    """What a request brought: files on the volume by their names, and the options."""

    folder: Path
    files: dict[str, Path] = field(default_factory=dict)
    options: bytes | None = None

    def document(self) -> dict[str, Any]:
        """The ``options`` part as a JSON object; no part is an empty object."""
        return json_object(self.options or b"{}", "/options")


@contextmanager
def incoming_folder(volume: Volume) -> Iterator[Path]:
    """A folder of one request's own; gone afterwards."""
    volume.incoming.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="upload-", dir=volume.incoming))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def sweep(volume: Volume) -> None:
    """Delete the upload folders that no living process holds."""
    for folder in volume.incoming.glob("upload-*"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)


class _Parts:
    """The parser's callbacks: routes each part to its file or to the options."""

    def __init__(self, upload: Upload, limit: int) -> None:
        self.upload = upload
        self.limit = limit
        self.received = 0
        self.ended = False
        self.faults: list[Fault] = []
        self._headers: dict[str, str] = {}
        self._name, self._value = b"", b""
        self._file: BinaryIO | None = None
        self._options: bytearray | None = None

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self.on_part_begin,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_headers_finished": self.on_headers_finished,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_end": self.on_end,
        }

    def on_part_begin(self) -> None:
        self._headers = {}

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name, self._value = b"", b""

    def on_headers_finished(self) -> None:
        _, parameters = parse_options_header(self._headers.get("content-disposition"))
        name = parameters.get(b"name", b"").decode("latin-1")
        if name == "file":
            self._open(parameters.get(b"filename", b""))
        elif name == "options" and self.upload.options is None and self._options is None:
            self._options = bytearray()
        else:
            known = "an upload has parts named 'file' and at most one named 'options'"
            self.faults.append(Fault(f"/{name}", "part-unknown", f"{known}; got one more, {name!r}"))

    def _open(self, raw_name: bytes) -> None:
        name = raw_name.decode("utf-8", "replace")
        fault = name_fault(name, self.upload.files)
        if fault:
            self.faults.append(fault)
            return
        # The sender's name never becomes a path.
        path = self.upload.folder / f"{len(self.upload.files)}.part"
        self.upload.files[name] = path
        self._file = path.open("wb")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._options is not None:
            self._options += data[start:end]
            if len(self._options) > OPTIONS_BYTES:
                raise too_large("/options", f"options of more than {OPTIONS_BYTES:,} bytes")
            return
        self.received += end - start
        if self.received > self.limit:
            raise too_large("/file", f"files of more than {self.limit:,} bytes together")
        if self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def on_part_end(self) -> None:
        self.close()
        if self._options is not None:
            self.upload.options, self._options = bytes(self._options), None

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def missing(self) -> Iterator[Fault]:
        """What is wrong with the parts as a whole, once the body has ended."""
        if not self.ended:
            yield Fault("", "multipart-truncated", "the body ends before its closing boundary")
        elif not self.upload.files and not self.faults:
            yield Fault("/file", "missing", "no part named 'file': the data itself is needed")


def name_fault(name: str, taken: dict[str, Path]) -> Fault | None:
    """What is wrong with the name of an uploaded file."""
    if not name:
        return Fault("/file", "filename-missing", "a part named 'file' needs a filename")
    if "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        return Fault(
            "/file", "filename-invalid", f"{name!r} is no plain file name: no folders, no control characters"
        )
    if name in taken:
        return Fault(f"/file/{name}", "filename-duplicate", f"two files are named {name!r}")
    if len(taken) >= MAX_FILES:
        return Fault("/file", "too-many", f"more than {MAX_FILES} files")
    return None


def too_large(pointer: str, what: str) -> TooLarge:
    return TooLarge.of([Fault(pointer, "too-large", f"{what}: over the limit of this service")])


def boundary_of(request: Request) -> bytes:
    """The multipart boundary; InvalidInput where the content type is another."""
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        got = request.headers.get("content-type", "none")
        raise InvalidInput.of(
            [Fault("/header/content-type", "multipart", f"multipart/form-data is needed, not {got}")]
        )
    return boundary


def expect_room(request: Request, volume: Volume, limit: int) -> None:
    """Refuse before the first byte what the announced length already rules out."""
    announced = int(request.headers.get("content-length", 0))
    if announced > limit + OPTIONS_BYTES + (64 << 10):
        raise too_large("/file", f"a body of {announced:,} bytes, where {limit:,} are allowed")
    free = shutil.disk_usage(volume.path).free
    if free < announced + FREE_BYTES:
        raise Unavailable(f"the volume has {free:,} bytes free, too few for an upload of {announced:,}")


async def batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of a megabyte: each costs a trip to a thread."""
    gathered = bytearray()
    async for chunk in chunks:
        gathered += chunk
        if len(gathered) >= BATCH_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


async def receive(request: Request, folder: Path, volume: Volume, limit: int) -> Upload:
    """Read a whole multipart body into ``folder``; at most ``limit`` bytes of files.

    Raises InvalidInput (every fault of the parts), TooLarge, Unavailable for a full volume.
    """
    upload = Upload(folder)
    parts = _Parts(upload, limit)
    stream = request.stream()
    try:
        parser = MultipartParser(boundary_of(request), parts.callbacks())
        expect_room(request, volume, limit)
        async for batch in batches(stream):
            await to_thread.run_sync(feed, parser, batch)
        faults = [*parts.faults, *parts.missing()]
        if faults:
            raise InvalidInput.of(faults)
    except (JobsError, OSError):
        await drain(stream)
        raise
    finally:
        parts.close()
    return upload


def feed(parser: MultipartParser, batch: bytes) -> None:
    try:
        parser.write(batch)
    except MultipartParseError as error:
        raise InvalidInput.of([Fault("", "multipart-invalid", str(error))]) from None


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Read on a little: a sender that is cut off while it writes may never read the answer."""
    left = DRAIN_BYTES
    async for chunk in stream:
        left -= len(chunk)
        if left <= 0:
            return
