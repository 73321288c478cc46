"""A multipart upload, written to the volume as it arrives: no more than a batch is ever in memory."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from anyio import to_thread
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from app.body import require_plain
from app.examples import files as examples
from app.strict_json import json_object
from ingest.store import Upload
from jobs.errors import Fault, InvalidInput, JobsError, TooLarge, Unavailable, UnsupportedMediaType
from jobs.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

BATCH_BYTES = 1 << 20
OPTIONS_BYTES = 1 << 20
MAX_FILES = 1000
FREE_BYTES = 64 << 20
"""What an upload must leave free on the volume: records and checkpoints are written there too."""
DRAIN_BYTES = 64 << 20
"""How much of a refused body is still read, so that its sender comes to see the answer."""


def form_body(options: str, example: dict[str, Any], files: str) -> dict[str, Any]:
    """An upload as the OpenAPI description shows it; ``options`` names the schema of that part."""
    return {
        "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {
                    "type": "array",
                    # "format" says to generators of clients what "contentMediaType" says in JSON Schema.
                    "items": {
                        "type": "string",
                        "format": "binary",
                        "contentMediaType": "application/octet-stream",
                    },
                    "description": files,
                },
                "options": {
                    "type": "string",
                    "contentMediaType": "application/json",
                    "contentSchema": {"$ref": f"#/components/schemas/{options}"},
                },
            },
        },
        "example": example,
    }


DATASET_FORM = form_body(
    "Options",
    {"file": ["digits.csv"], "options": json.dumps(examples.OPTIONS)},
    "one or more parts of this name: the data itself",
)
FORM_BODY = {"requestBody": {"required": True, "content": {"multipart/form-data": DATASET_FORM}}}
"""The body as the OpenAPI description shows it."""


@dataclass
class Form:
    """What a request brought: files in ``folder``, and the options."""

    folder: Path
    files: list[Upload] = field(default_factory=list)
    options: bytes | None = None

    def document(self) -> dict[str, Any]:
        """The ``options`` part as a JSON object; no part is an empty object."""
        return json_object(self.options or b"{}", "/options")


class _Parts:
    """The parser's callbacks: routes each part to its file or to the options."""

    def __init__(self, form: Form, limit: int) -> None:
        self.form = form
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
        elif name == "options" and self.form.options is None and self._options is None:
            self._options = bytearray()
        else:
            known = "an upload has parts named 'file' and at most one named 'options'"
            self.faults.append(Fault(f"/{name}", "unknown_part", f"{known}; got one more, {name!r}"))

    def _open(self, raw_name: bytes) -> None:
        name = raw_name.decode("utf-8", "replace")
        fault = name_fault(name, [file.filename for file in self.form.files])
        if fault:
            self.faults.append(fault)
            return
        # The sender's name never becomes a path.
        path = self.form.folder / f"{len(self.form.files)}.part"
        self.form.files.append(Upload(name, path))
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
            self.form.options, self._options = bytes(self._options), None

    def on_end(self) -> None:
        self.ended = True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def missing(self) -> Iterator[Fault]:
        """What is wrong with the parts as a whole, once the body has ended."""
        if not self.ended:
            yield Fault("", "multipart_truncated", "the body ends before its closing boundary")
        elif not self.form.files and not self.faults:
            yield Fault("/file", "missing", "no part named 'file': the data itself is needed")


def name_fault(name: str, taken: list[str]) -> Fault | None:
    """What is wrong with the name of an uploaded file."""
    if not name:
        return Fault("/file", "filename_missing", "a part named 'file' needs a filename")
    if "/" in name or "\\" in name or name in (".", "..") or not name.isprintable():
        return Fault(
            "/file", "filename_invalid", f"{name!r} is no plain file name: no folders, no control characters"
        )
    if name in taken:
        return Fault(f"/file/{name}", "filename_duplicate", f"two files are named {name!r}")
    if len(taken) >= MAX_FILES:
        return Fault("/file", "too_many", f"more than {MAX_FILES} files")
    return None


def too_large(pointer: str, what: str) -> TooLarge:
    return TooLarge.of([Fault(pointer, "too_large", f"{what}: over the limit of this service")])


def boundary_of(request: Request) -> bytes:
    """The multipart boundary; UnsupportedMediaType where the content type is another."""
    require_plain(request)
    kind, parameters = parse_options_header(request.headers.get("content-type"))
    boundary = parameters.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        got = request.headers.get("content-type", "none")
        raise UnsupportedMediaType.of(
            [Fault("/header/content-type", "multipart", f"multipart/form-data is needed, not {got}")]
        )
    return boundary


def expect_room(request: Request, settings: Settings, limit: int) -> None:
    """Refuse before the first byte what the announced length already rules out."""
    announced = int(request.headers.get("content-length", 0))
    if announced > limit + OPTIONS_BYTES + (64 << 10):
        raise too_large("/file", f"a body of {announced:,} bytes, where {limit:,} are allowed")
    free = shutil.disk_usage(settings.volume.path).free
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


async def receive(request: Request, folder: Path, settings: Settings, limit: int) -> Form:
    """Read a whole multipart body, its files into ``folder``, ``limit`` bytes of them at most.

    Raises InvalidInput (every fault of the parts), TooLarge, Unavailable for a full volume.
    """
    form = Form(folder)
    parts = _Parts(form, limit)
    stream = request.stream()
    try:
        parser = MultipartParser(boundary_of(request), parts.callbacks())
        expect_room(request, settings, limit)
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
    return form


def feed(parser: MultipartParser, batch: bytes) -> None:
    try:
        parser.write(batch)
    except MultipartParseError as error:
        raise InvalidInput.of([Fault("", "multipart_invalid", str(error))]) from None


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Read on a little: a sender that is cut off while it writes may never read the answer."""
    left = DRAIN_BYTES
    async for chunk in stream:
        left -= len(chunk)
        if left <= 0:
            return
