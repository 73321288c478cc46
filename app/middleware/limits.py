"""How much a request may bring, and how long it may take about it."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.errors import Fault, TooLarge

JSON_BYTES = 4 << 20
"""The largest document: a network of thousands of layers fits many times over. Uploads have settings."""
STALL_SECONDS = 60.0
"""After so long without another byte of a body its sender is given up."""


class BodyLimits:
    """Watches over bodies, whoever reads them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
            receive = _Body(receive, limited=not kind.startswith(b"multipart/")).receive
        await self._app(scope, receive, send)


class _Body:
    """One request's body on its way in; behind its end nothing is awaited but the caller's leaving."""

    def __init__(self, receive: Receive, *, limited: bool) -> None:
        self._receive = receive
        self._limited = limited
        self._taken = 0
        self._ended = False

    async def receive(self) -> Message:
        """HTTPException (408, 413), which FastAPI passes on wherever it reads a body."""
        if self._ended:
            return await self._receive()
        try:
            async with asyncio.timeout(STALL_SECONDS):
                message = await self._receive()
        except TimeoutError:
            detail = f"the body stopped: nothing came for {STALL_SECONDS:g} s"
            raise HTTPException(408, detail, headers={"Connection": "close"}) from None
        self._ended = not message.get("more_body", False)
        self._taken += len(message.get("body", b""))
        if self._limited and self._taken > JSON_BYTES:
            fault = Fault("", "too_large", f"a document has at most {JSON_BYTES:,} bytes")
            raise HTTPException(413) from TooLarge.of([fault])
        return message
