"""``wait=``: an answer that is held back until there is something to say. It holds no thread meanwhile."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool

from app.middleware.conditional import job_tag, matches
from app.streams.channel import Channel
from app.streams.hub import Hub
from app.streams.sse import within
from jobs.queries.waiting import why
from jobs.store import Store

LOOK_SECONDS = 1.0
"""A queued job's place changes without a word from the job itself: it is looked at so often."""


async def news_of(job_id: str, store: Store, hub: Hub, if_none_match: str | None, seconds: float) -> None:
    """Return when a job has ended or, with a tag, is no longer as that says; at the latest after ``seconds``.

    NotFound without the job.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    async with hub.watching(job_id) as channel:
        while not hub.closing:
            changed = channel.changed.next()
            if await _is_news(channel, job_id, store, if_none_match):
                return
            left = deadline - loop.time()
            if left <= 0:
                return
            await within(changed, left if if_none_match is None else min(left, LOOK_SECONDS))


async def _is_news(channel: Channel, job_id: str, store: Store, if_none_match: str | None) -> bool:
    record = channel.record
    if record is None or record.ended:
        return True
    if if_none_match is None:
        return False
    return not matches(if_none_match, await run_in_threadpool(_tag, job_id, store))


def _tag(job_id: str, store: Store) -> str:
    record = store.get(job_id)
    return job_tag(record, why(record, store))
