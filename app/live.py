"""A job's events as server-sent events, to the job's end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.concurrency import run_in_threadpool

from app.history import history
from jobs.errors import NotFound, Unavailable
from jobs.store import Store
from trainer.layout import Volume

LOOK_SECONDS = 0.2
QUIET_LOOKS = 75
"""After this many looks without news a comment keeps proxies from closing the stream."""


async def live_events(
    store: Store, volume: Volume, job_id: str, after: int, stopping: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Messages of one job: its durable events, whose id is their number, and progress between.

    A ``progress`` message has no id: one that is missed is not sent again. The last message
    of a job that has ended is ``end``; without it the caller connects again with
    Last-Event-ID. An outage of Redis is waited out.
    """
    shown: dict[str, Any] = {}
    quiet = 0
    while not stopping():
        try:
            # The record is read first: what its number promises is then in the stream.
            record = await run_in_threadpool(store.get, job_id)
            news = record.seq > after
            found = await run_in_threadpool(history, store, volume, job_id, after=after) if news else []
        except Unavailable:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        except NotFound:
            # A server that came back without its data: there is nothing left to tell.
            return
        for event in found:
            after = event["seq"]
            yield message(event["type"], event, number=after)
        if record.ended:
            yield message("end", {"status": record.state, "reason": record.reason, "detail": record.detail})
            return
        progress = {"progress": record.progress, "losses": record.losses, "metrics": record.metrics}
        if record.progress and progress != shown:
            shown = progress
            yield message("progress", progress)
            quiet = 0
        else:
            quiet += 1
            if quiet % QUIET_LOOKS == 0:
                yield KEEPALIVE_COMMENT
        await asyncio.sleep(LOOK_SECONDS)


def message(kind: str, data: dict[str, Any], number: int | None = None) -> bytes:
    return format_sse_event(event=kind, data_str=json.dumps(data), id=None if number is None else str(number))
