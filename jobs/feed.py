"""What happens to all jobs, as it happens: one blocking read tells a whole process.

``cj:feed`` is a stream of the newest durable events of all jobs, written with them by the store's
scripts; ``cj:progress`` of the newest figures. Both are cut to their newest entries: what a job's
history is stands in its own stream and on the volume.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import redis.asyncio

from jobs.connection import ANSWER_TIMEOUT, connect_async, reaching_redis
from jobs.events import event_document
from jobs.settings import Settings

FEED, PROGRESS = "cj:feed", "cj:progress"
BLOCK_SECONDS = 2.0
"""How long a read waits for news before it comes back with none."""
_BATCH = 500

Place = tuple[int, int]
"""Where an event stands among those of all jobs: its id, so that it can be compared."""


def place_of(event_id: str) -> Place:
    """The place that an id such as ``1769851800250-0`` names."""
    milliseconds, _, number = event_id.partition("-")
    return int(milliseconds), int(number)


def id_of(place: Place) -> str:
    return f"{place[0]}-{place[1]}"


@dataclass(frozen=True)
class Happened:
    """A durable event of a job. ``id`` is its place among the events of all jobs."""

    id: str
    job: str
    document: dict[str, Any]
    """As the job's own history has it."""


@dataclass(frozen=True)
class Figures:
    """A job's newest ``progress``, ``losses`` and ``metrics``."""

    job: str
    values: dict[str, Any]


class Feed:
    """Reads what is new since the last time. Raises Unavailable while Redis is away."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._last: dict[str, str] = {}

    @classmethod
    def open(cls, settings: Settings) -> Feed:
        """A feed on the settings' server. Connects with the first read."""
        timeout = BLOCK_SECONDS + ANSWER_TIMEOUT
        return cls(connect_async(settings.effective_redis_url, answer_timeout=timeout))

    async def close(self) -> None:
        await self._client.aclose()

    async def begin(self) -> Place:
        """Reads tell what happens from now on; from the last one on where there was one.

        The place behind which they do.
        """
        with reaching_redis():
            for stream in (FEED, PROGRESS):
                newest = await self._client.xrevrange(stream, count=1)
                self._last.setdefault(stream, str(newest[0][0]) if newest else "0-0")
        return place_of(self._last[FEED])

    async def read(self) -> list[Happened | Figures]:
        """What has happened since the last read, as soon as there is any; nothing after a while."""
        with reaching_redis():
            found = await self._client.xread(
                cast(Any, self._last), count=_BATCH, block=round(BLOCK_SECONDS * 1000)
            )
        news: list[Happened | Figures] = []
        for stream, entries in cast(list[tuple[str, list[tuple[str, dict[str, str]]]]], found):
            self._last[stream] = entries[-1][0]
            news += [happened(*entry) if stream == FEED else _figures(entry[1]) for entry in entries]
        return news

    async def after(self, place: Place, limit: int) -> list[Happened]:
        """Events that Redis still has behind a place, oldest first."""
        with reaching_redis():
            found = await self._client.xrange(FEED, min=f"({id_of(place)}", count=limit)
        return [happened(*entry) for entry in cast(list[tuple[str, dict[str, str]]], found)]

    async def oldest(self) -> Place | None:
        """Place of the oldest event that Redis still has; None where it has none."""
        with reaching_redis():
            found = await self._client.xrange(FEED, count=1)
        return place_of(str(found[0][0])) if found else None

    async def newest(self) -> Place | None:
        """Place of the newest event; None where there is none."""
        with reaching_redis():
            found = await self._client.xrevrange(FEED, count=1)
        return place_of(str(found[0][0])) if found else None


def happened(event_id: str, fields: dict[str, str]) -> Happened:
    """An entry of the stream of events."""
    document = event_document(
        int(fields["seq"]), int(fields["time"]), int(fields["attempt"]), json.loads(fields["data"])
    )
    return Happened(event_id, fields["job"], document)


def _figures(fields: dict[str, str]) -> Figures:
    return Figures(
        fields["job"], {name: json.loads(fields[name]) for name in ("progress", "losses", "metrics")}
    )
