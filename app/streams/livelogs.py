"""The lines that a job's trainer writes, as it writes them (SSE)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from app.streams.channel import Channel
from app.streams.hub import Hub
from app.streams.sse import HEARTBEAT, HEARTBEAT_SECONDS, message, within
from app.tail import end_of
from jobs.states import State
from trainer.layout import AttemptDirectory, RunDirectory

LOOK_SECONDS = 0.25
"""So often a file is looked at: a volume tells nobody when another machine writes to it."""
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Place:
    """How far a reader has come: behind which byte of which attempt. Attempt 0 is before the first."""

    attempt: int
    offset: int

    def __str__(self) -> str:
        return f"{self.attempt}:{self.offset}"


def live_lines(
    hub: Hub, run: RunDirectory, job_id: str, stream: str, place: Place, only: int | None
) -> AsyncIterator[bytes]:
    """Messages with whole lines from ``place`` on, attempt after attempt, or of attempt ``only``.

    The id of each is the place behind it. ``end`` is the last one, once nothing more can come.
    """
    return hub.told(job_id, lambda channel: _lines(hub, channel, run, stream, place, only))


async def _lines(
    hub: Hub, channel: Channel, run: RunDirectory, stream: str, place: Place, only: int | None
) -> AsyncIterator[bytes]:
    quiet = 0.0
    while not hub.closing and (record := channel.record) is not None:
        changed = channel.changed.next()
        # Known before the file is read: what an attempt wrote before it was over is read then.
        left = only is not None and record.state is not State.RUNNING
        over = left or record.ended or record.attempt > place.attempt
        data = await run_in_threadpool(_next, run.attempt(place.attempt), stream, place.offset, over)
        if data:
            told = {
                "attempt": place.attempt,
                "stream": stream,
                "offset": place.offset,
                "text": data.decode("utf-8", "replace"),
            }
            place = Place(place.attempt, place.offset + len(data))
            quiet = 0.0
            yield message("lines", told, str(place))
            continue
        if over and only is None and record.attempt > place.attempt:
            place = Place(place.attempt + 1, 0)
            continue
        if over:
            yield message("end", {"status": record.state, "attempt": place.attempt})
            return
        if not await within(changed, LOOK_SECONDS):
            quiet += LOOK_SECONDS
            if quiet >= HEARTBEAT_SECONDS:
                quiet = 0.0
                yield HEARTBEAT


def _next(attempt: AttemptDirectory, stream: str, offset: int, over: bool) -> bytes:
    """The next whole lines; of an attempt that is over, or of a line without end, what there is."""
    path: Path = getattr(attempt, stream)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(CHUNK)
    except FileNotFoundError:
        return b""
    whole = data[: data.rfind(b"\n") + 1]
    return whole or (data if over or len(data) == CHUNK else b"")


def beginning(attempt: AttemptDirectory, number: int, stream: str, lines: int) -> Place:
    """The place before the last so many lines."""
    path: Path = getattr(attempt, stream)
    try:
        position, tail = end_of(path, lines)
    except FileNotFoundError:
        return Place(number, 0)
    kept = b"".join(tail.splitlines(keepends=True)[-lines:])
    return Place(number, position + len(tail) - len(kept))
