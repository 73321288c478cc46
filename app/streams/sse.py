"""Server-sent events: messages, and how a reader waits for the next ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.responses import StreamingResponse

HEARTBEAT_SECONDS = 15.0
"""After so long without a message a comment keeps proxies from closing the stream."""
HEARTBEAT = KEEPALIVE_COMMENT


class EventStream(StreamingResponse):
    """Messages, each chunk sent as soon as it is there."""

    media_type = "text/event-stream"

    def init_headers(self, headers: Any = None) -> None:
        super().init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"} | dict(headers or {}))


def message(kind: str, data: Any, number: int | str | None = None) -> bytes:
    """One message; without a number it is not one that a reader can go on from."""
    return format_sse_event(event=kind, data_str=json.dumps(data), id=None if number is None else str(number))


class Signal:
    """Wakes all who wait for it, each time that it is given. For one event loop."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    def give(self) -> None:
        self._next.set()
        self._next = asyncio.Event()

    def next(self) -> asyncio.Event:
        """What the next ``give`` sets. To be taken before looking whether there is anything to do."""
        return self._next


async def within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
