"""Records read on an event loop: those that are asked for at the same time in one trip to Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis.commands.core import AsyncScript

from jobs.connection import connect_async, reaching_redis
from jobs.queries.waiting import Glance, glances
from jobs.scripts import source
from jobs.settings import Settings
from jobs.writing import compact_bytes

_MOST = 100


class Glances:
    """Reads records. While one trip is under way, whoever asks meanwhile is answered by the next."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._client = client
        self._script: AsyncScript = client.register_script(source("glance"))
        self._asked: dict[str, list[asyncio.Future[Glance]]] = {}
        self._travelling: asyncio.Task[None] | None = None

    @classmethod
    def open(cls, settings: Settings) -> Glances:
        """On the settings' server. Connects with the first question."""
        return cls(connect_async(settings.effective_redis_url))

    async def close(self) -> None:
        if self._travelling is not None:
            self._travelling.cancel()
        await self._client.aclose()

    async def at(self, job_id: str) -> Glance:
        """A job as it is now. NotFound where there is none, Unavailable while Redis is away."""
        answer: asyncio.Future[Glance] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(job_id, []).append(answer)
        if self._travelling is None:
            self._travelling = asyncio.create_task(self._travel())
        return await answer

    async def _travel(self) -> None:
        try:
            while self._asked:
                ids = list(self._asked)[:_MOST]
                asked = [self._asked.pop(job_id) for job_id in ids]
                found: Sequence[Glance | Exception]
                try:
                    found = await self._look(ids)
                except Exception as error:
                    found = [error] * len(ids)
                for answers, glance in zip(asked, found, strict=True):
                    for answer in answers:
                        _settle(answer, glance)
        finally:
            self._travelling = None

    async def _look(self, ids: Sequence[str]) -> Sequence[Glance | Exception]:
        with reaching_redis():
            answer: list[Any] = await self._script(args=[compact_bytes({"ids": ids})])
        return glances(ids, answer)


def _settle(answer: asyncio.Future[Glance], found: Glance | Exception) -> None:
    if answer.done():
        # Whoever asked has gone.
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)
