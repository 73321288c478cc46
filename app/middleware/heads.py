"""HEAD wherever there is GET: the same head, and no body (RFC 9110, 9.3.2)."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadsOfReads:
    """ASGI middleware that answers HEAD by the head of what GET would be answered, and ends it there.

    A stream without end and a file of gigabytes cost no more than their head.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        told = asyncio.Event()

        async def head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})
                told.set()

        answering = asyncio.ensure_future(self._app({**scope, "method": "GET"}, receive, head))
        ending = asyncio.create_task(told.wait())
        try:
            await asyncio.wait((answering, ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending.cancel()
            if told.is_set():
                answering.cancel()
        if not told.is_set():
            await answering
            return
        await asyncio.wait((answering,))
        if not answering.cancelled():
            # What came after the head was of no use to anybody; that it failed is.
            answering.result()
