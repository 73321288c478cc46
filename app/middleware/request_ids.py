"""A request's id: the caller's own or a new one, in every answer, every line of the log and of the audit."""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered, in threads of its endpoint too; None outside of any."""

_HEADER = b"x-request-id"
# What others put into their logs by it cannot break a line or a quotation.
_ACCEPTED = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}")


class RequestIds:
    """Takes ``X-Request-Id`` where it is a plain word of at most 128 characters, and echoes it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        found = given if _ACCEPTED.fullmatch(given) else secrets.token_hex(8).encode()

        async def echo(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (_HEADER, found)]
            await send(message)

        token = request_id.set(found.decode())
        try:
            await self._app(scope, receive, echo)
        finally:
            request_id.reset(token)
