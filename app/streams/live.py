"""Streams of what happens: of one job to its end, and of all jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool

from app.streams.channel import Channel
from app.streams.everything import Choice, event_message
from app.streams.history import history
from app.streams.hub import AWAY_SECONDS, Hub
from app.streams.sse import HEARTBEAT, HEARTBEAT_SECONDS, message, within
from jobs.errors import Unavailable
from jobs.feed import Place, id_of, place_of
from jobs.store import Store
from trainer.layout import Volume

_BATCH = 500


def live_events(hub: Hub, store: Store, volume: Volume, job_id: str, after: int) -> AsyncIterator[bytes]:
    """Messages of one job: its durable events, whose id is their number, and progress between.

    A ``progress`` message has no id: one that is missed is not sent again. The last message
    of a job that has ended is ``end``; without it the caller connects again with
    Last-Event-ID. An outage of Redis is waited out. A reader that is slow is told of every
    event and of the newest progress; nothing is kept for it meanwhile.
    """
    return hub.told(job_id, lambda channel: _told(hub, channel, store, volume, job_id, after))


async def _told(
    hub: Hub, channel: Channel, store: Store, volume: Volume, job_id: str, after: int
) -> AsyncIterator[bytes]:
    figures = b""
    while not hub.closing:
        changed = channel.changed.next()
        news = channel.after(after)
        if news is None:
            try:
                found = await run_in_threadpool(history, store, volume, job_id, after=after, limit=_BATCH)
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
                continue
            if found:
                after = found[-1]["seq"]
                yield b"".join(message(event["type"], event, event["seq"]) for event in found)
            else:
                # A volume that has lost them tells no more than the channel does.
                after = channel.seq
            continue
        after = max(after, channel.seq)
        if channel.record is None:
            return
        if end := channel.end:
            yield news + end
            return
        if channel.progress != figures:
            figures = channel.progress
            news += figures
        if news:
            yield news
        elif not await within(changed, HEARTBEAT_SECONDS):
            yield HEARTBEAT


async def live_everything(hub: Hub, place: Place, choice: Choice) -> AsyncIterator[bytes]:
    """Messages of all jobs behind a place, without end: durable events, whose id is it, and progress.

    ``missed`` tells a reader that Redis may have dropped some events behind the place where it was.
    """
    with hub.reading():
        async for told in _told_of_everything(hub, place, choice):
            yield told


async def _told_of_everything(hub: Hub, place: Place, choice: Choice) -> AsyncIterator[bytes]:
    everything = hub.everything
    shown = everything.figures_shown
    while not hub.closing:
        changed = everything.changed.next()
        newest = everything.newest
        found = everything.after(place, choice)
        if found is None:
            try:
                found, place = await _kept(hub, place, choice)
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
                continue
            if found:
                yield b"".join(found)
            continue
        place = max(place, newest or place)
        found += everything.figures_after(shown, choice)
        shown = everything.figures_shown
        if found:
            yield b"".join(found)
        elif not await within(changed, HEARTBEAT_SECONDS):
            yield HEARTBEAT


async def _kept(hub: Hub, place: Place, choice: Choice) -> tuple[list[bytes], Place]:
    """The wanted ones of the next events that Redis still has, and the place behind them."""
    oldest = await hub.feed.oldest()
    events = await hub.feed.after(place, _BATCH)
    told = [event_message(event) for event in events if choice.wants(event.job, event.document["type"])]
    if oldest is None or oldest > place:
        first = id_of(oldest) if oldest else None
        told.insert(0, message("missed", {"after": id_of(place), "first": first}))
    # Where there is nothing any more, what the process has heard itself is all that can be told.
    return told, place_of(events[-1].id) if events else hub.everything.floor or place
