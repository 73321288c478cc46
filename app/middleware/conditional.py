"""``ETag`` and ``If-None-Match`` for everything that is read; ``If-Match`` for what is changed.

An endpoint that knows better than the bytes of its answer sets its own tag. A job does: its timings run on
with the clock and are left out, and what people may edit has a part of the tag for itself.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.errors import PreconditionFailed
from jobs.queries.waiting import Wait
from jobs.record import Record
from jobs.store import Page

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_OURS = re.compile(r'"(\d{1,18})-[0-9a-f]+"')
_KEPT = ("etag", "cache-control", "vary", "content-location", "date", "expires", "last-modified")
"""What a 304 still says of the answer that it stands for (RFC 9110, 15.4.5)."""

IfMatch = Annotated[
    str | None,
    Header(description="the ETag of what the change is meant for; 412 where somebody has changed it since"),
]


def tag_of(data: bytes) -> str:
    """The entity tag of some bytes."""
    return f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'


def job_tag(record: Record, wait: Wait | None) -> str:
    """The tag of a job: how often it was edited, and a digest of its record and of why it waits.

    The spec is not in it: no change of that leaves the record as it was.
    """
    return f'"{record.edits}-{tag_of(f"{record.model_dump_json()} {wait}".encode())[1:]}'


def list_tag(page: Page) -> str:
    """The tag of a page of jobs, by the same rule."""
    told = [*(record.model_dump_json() for record in page.records), str(page.next_after)]
    return tag_of("\n".join(told).encode())


def believed_edits(if_match: str | None) -> list[int] | None:
    """How often a job may have been edited by the tags of ``If-Match``; None where any number will do.

    Progress, which changes the rest of the tag, does not hinder anybody from editing.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    return [int(found[1]) for tag in _TAG.findall(if_match) if (found := _OURS.fullmatch(tag))]


def model_tag(model: BaseModel) -> str:
    """The tag of a resource that is shown whole."""
    return tag_of(model.model_dump_json().encode())


def require_match(if_match: str | None, tag: str) -> None:
    """PreconditionFailed where ``If-Match`` names other tags than this one."""
    if if_match is not None and if_match.strip() != "*" and tag not in _TAG.findall(if_match):
        raise PreconditionFailed("it has changed since it was read; look at it and ask again")


def matches(if_none_match: str, tag: str) -> bool:
    """Whether ``If-None-Match`` names the tag, weakly compared."""
    return if_none_match.strip() == "*" or tag.removeprefix("W/") in _TAG.findall(if_none_match)


class ConditionalReads:
    """Middleware: gives every JSON answer to GET a tag, and 304 to whoever has that already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Answer(Headers(scope=scope).get("if-none-match"), send).send)


class _Answer:
    """One answer on its way. Its beginning is held back until the tag is known."""

    def __init__(self, if_none_match: str | None, send: Send) -> None:
        self._if_none_match = if_none_match
        self._send = send
        self._held: Message | None = None
        self._dropped = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            if message["status"] not in (200, 206):
                await self._send(message)
            elif "etag" in headers:
                await self._begin(message, headers["etag"])
            elif headers.get("content-type") == "application/json":
                self._held = message
            else:
                await self._send(message)
            return
        if self._held is not None:
            # An answer in several pieces is none of ours: all documents are sent in one.
            start, self._held = self._held, None
            if not message.get("more_body"):
                tag = tag_of(message.get("body", b""))
                MutableHeaders(raw=start["headers"])["etag"] = tag
                await self._begin(start, tag)
            else:
                await self._send(start)
        if not self._dropped:
            await self._send(message)

    async def _begin(self, start: Message, tag: str) -> None:
        if self._if_none_match is None or not matches(self._if_none_match, tag):
            await self._send(start)
            return
        self._dropped = True
        headers = [
            (name, value) for name, value in start["headers"] if name.decode("latin-1").lower() in _KEPT
        ]
        await self._send({"type": "http.response.start", "status": 304, "headers": headers})
        await self._send({"type": "http.response.body", "body": b""})
