"""The one place where a process hears of what happens to jobs, and whom it tells.

However many read streams here, Redis is asked once: a blocking read of the feed of all jobs wakes
the channels of those jobs that somebody watches.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from app.streams.channel import Channel
from app.streams.everything import Everything
from app.streams.sse import Signal, within
from jobs.errors import NotFound, Unavailable
from jobs.feed import Feed, Figures, Happened, Place
from jobs.settings import Settings
from jobs.store import Store

AWAY_SECONDS = 0.2
"""Between two tries to reach a server that is away."""
GATHERING_SECONDS = 0.005
"""What happens within so short a time is read at once: many small reads would keep the process busy."""
UNREAD_SECONDS = 0.25
"""The same while nobody reads a stream here."""
LOOK_AGAIN_SECONDS = 5.0
"""So often a watched job's record is looked at without a word from the feed, in case one was lost."""
STOPPING_SECONDS = 0.2
CANCEL_SECONDS = 0.1
"""Between two tries to cancel a task."""

log = logging.getLogger("uvicorn.error")


@dataclass
class _Watched:
    channel: Channel
    task: asyncio.Task[None]
    readers: int = 0


class Hub:
    """Hears of all jobs while the application runs."""

    def __init__(self, store: Store, settings: Settings, stopping: Callable[[], bool]) -> None:
        self._store, self._volume, self._stopping = store, settings.volume, stopping
        self._channels: dict[str, _Watched] = {}
        self._readers = 0
        self._came = Signal()
        self.feed = Feed.open(settings)
        self.everything = Everything()
        self.closing = False
        """Whether streams are to end because the server stops."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Hub]:
        """Hear and tell for as long as the context lives."""
        tasks = [asyncio.create_task(self._hear()), asyncio.create_task(self._await_the_end())]
        try:
            yield self
        finally:
            tasks += [watched.task for watched in self._channels.values()]
            await _end(tasks)
            await self.feed.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Somebody reads what is told here for as long as the context lives, and wants it soon."""
        self._readers += 1
        self._came.give()
        try:
            yield
        finally:
            self._readers -= 1

    @asynccontextmanager
    async def watching(self, job_id: str) -> AsyncIterator[Channel]:
        """The channel of a job, shared by all who watch it. NotFound where there is no such job."""
        with self.reading():
            async with self._shared_channel(job_id) as channel:
                yield channel

    async def told(
        self, job_id: str, tell: Callable[[Channel], AsyncIterator[bytes]]
    ) -> AsyncIterator[bytes]:
        """What ``tell`` makes of a job's channel; nothing of no job. An outage of Redis is waited out."""
        while not self.closing:
            try:
                async with self.watching(job_id) as channel:
                    async for message in tell(channel):
                        yield message
                return
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
            except NotFound:
                return

    @asynccontextmanager
    async def _shared_channel(self, job_id: str) -> AsyncIterator[Channel]:
        watched = self._channels.get(job_id)
        if watched is None:
            channel = Channel(self._store, self._volume, job_id)
            watched = self._channels[job_id] = _Watched(channel, asyncio.create_task(channel.follow()))
        watched.readers += 1
        try:
            await watched.channel.begin()
            yield watched.channel
        finally:
            watched.readers -= 1
            if not watched.readers:
                watched.task.cancel()
                del self._channels[job_id]

    async def now(self) -> Place:
        """The place behind which everything is news. Unavailable while Redis has not been reached yet.

        Redis is asked: what this process has heard may be older than what a caller already knows.
        """
        begun = await self._begin() if self.everything.floor is None else self.everything.floor
        heard = self.everything.newest or begun
        try:
            return max(heard, await self.feed.newest() or heard)
        except Unavailable:
            return heard

    async def _begin(self) -> Place:
        begun = await self.feed.begin()
        if self.everything.floor is None:
            self.everything.floor = begun
        return begun

    async def _hear(self) -> None:
        while True:
            try:
                await self._begin()
                self._wake_all()
                look_again = time.monotonic() + LOOK_AGAIN_SECONDS
                while time.monotonic() < look_again:
                    found = await self.feed.read()
                    self._tell(found)
                    if found:
                        await self._gather()
            except Unavailable:
                await asyncio.sleep(AWAY_SECONDS)
            except Exception:
                log.exception("the feed of events cannot be read; it is tried again")
                await asyncio.sleep(AWAY_SECONDS)

    async def _gather(self) -> None:
        """Let more happen before the next read."""
        if self._readers:
            await asyncio.sleep(GATHERING_SECONDS)
        else:
            await within(self._came.next(), UNREAD_SECONDS)

    def _tell(self, found: Sequence[Happened | Figures]) -> None:
        for news in found:
            self.everything.add(news)
            watched = self._channels.get(news.job)
            if watched is None:
                continue
            if isinstance(news, Happened):
                watched.channel.wake()
            else:
                watched.channel.show(news)
        if found:
            self.everything.changed.give()

    def _wake_all(self) -> None:
        for watched in self._channels.values():
            watched.channel.wake()

    async def _await_the_end(self) -> None:
        """A server that stops waits for its answers: those without an end of their own are told."""
        while not self._stopping():
            await asyncio.sleep(STOPPING_SECONDS)
        self.closing = True
        self.everything.changed.give()
        for watched in self._channels.values():
            watched.channel.changed.give()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them until they have ended: redis-py loses a cancellation that comes as it is answered."""
    left: Collection[asyncio.Task[None]] = tasks
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
