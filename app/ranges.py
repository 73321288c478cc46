"""A file as an answer: whole or the part that ``Range`` asks for, with its tag and its digest.

One range is honoured. Several of them, and what is no range of bytes, are passed over as RFC 9110 (14.2)
lets a server do: the answer is then the whole file.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import quote

from fastapi import Depends, Header, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from jobs.errors import NotFound

PIECE_BYTES = 1 << 18
_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})", re.IGNORECASE | re.ASCII)


def answers(media: str, example: str, **said: str) -> dict[int | str, dict[str, Any]]:
    """What an endpoint with ``RangeDep`` may answer; ``said`` describes further headers of the whole file."""
    content = {media: {"example": example}}
    told = {"Accept-Ranges": "bytes", "ETag": "for If-Range and If-None-Match", **said}
    headers = {name: {"schema": {"type": "string"}, "description": text} for name, text in told.items()}
    return {
        200: {"description": "The whole file", "content": content, "headers": headers},
        206: {"description": "The part that Range asks for", "content": content},
        416: {"description": "The file has nothing there; Content-Range tells its size"},
    }


@dataclass(frozen=True)
class Ranged:
    """What a request says of the part that it wants."""

    range: str | None
    if_range: str | None

    def of(self, size: int, tag: str) -> tuple[int, int] | None:
        """First byte and the one behind the last; None for the whole file. 416 where nothing is there."""
        found = _RANGE.fullmatch(self.range.strip()) if self.range else None
        if found is None or (self.if_range is not None and self.if_range != tag):
            return None
        first, last = found.groups()
        if first and last and int(first) > int(last):
            return None
        if first:
            start, end = int(first), min(int(last) + 1, size) if last else size
        elif last:
            start, end = max(0, size - int(last)), size
        else:
            return None
        if start >= end:
            detail = f"the file has {size:,} bytes, and {self.range!r} asks for none of them"
            raise HTTPException(416, detail, headers={"Content-Range": f"bytes */{size}"})
        return start, end


async def ranged(
    asked: Annotated[
        str | None, Header(alias="range", description="such as bytes=0-99, bytes=100- or bytes=-100")
    ] = None,
    if_range: Annotated[str | None, Header(description="an ETag: the part only while it is this")] = None,
) -> Ranged:
    """The dependency of an endpoint that serves a file."""
    return Ranged(asked, if_range)


RangeDep = Annotated[Ranged, Depends(ranged)]


class FileContent(Response):
    """The first ``size`` bytes of an open file, or a part of them. The file may grow meanwhile.

    ``sha256`` is the digest of all of them; without it none is said.
    """

    def __init__(
        self,
        file: BinaryIO,
        size: int,
        asked: Ranged,
        *,
        tag: str,
        media_type: str,
        sha256: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._file = file
        try:
            part = asked.of(size, tag)
        except HTTPException:
            file.close()
            raise
        self._start, self._end = part or (0, size)
        self.status_code = 200 if part is None else 206
        self.media_type = media_type
        self.background = None
        said = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Length": str(self._end - self._start)}
        if part is not None:
            said["Content-Range"] = f"bytes {self._start}-{self._end - 1}/{size}"
        if sha256 is not None:
            digest = f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
            said["Repr-Digest"] = digest
            if part is None:
                said["Content-Digest"] = digest
        self.init_headers({**said, **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            await run_in_threadpool(self._file.seek, self._start)
            left = self._end - self._start
            while left:
                piece = await run_in_threadpool(self._file.read, min(PIECE_BYTES, left))
                if not piece:
                    raise OSError(f"{self._file.name} has become shorter while it was sent")
                left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
            if self._start == self._end:
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._file.close()


def opened(path: Path) -> tuple[BinaryIO, int]:
    """The file and its size now; NotFound where it is gone."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise NotFound(f"there is no file {path.name!r} here any more") from None
    return file, os.fstat(file.fileno()).st_size


def attachment(name: str) -> dict[str, str]:
    """The header by which a browser saves the file under its name."""
    plain = quote(name)
    told = f'filename="{name}"' if plain == name else f"filename*=utf-8''{plain}"
    return {"Content-Disposition": f"attachment; {told}"}


def media_type_of(name: str) -> str:
    kind, encoding = guess_type(name)
    return kind if kind and not encoding else "application/octet-stream"
