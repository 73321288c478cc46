"""The hub of a process: whenever it is told to end, it ends."""

from __future__ import annotations

import asyncio
from pathlib import Path

from app.streams.hub import Hub
from jobs.settings import Settings
from jobs.store import Store
from tests.valkey_server import ValkeyServer

EVENT = {"job": "job_1", "seq": "1", "time": "1", "attempt": "0", "data": '{"type": "queued"}'}


def test_it_ends_wherever_it_is(tmp_path: Path, valkey: ValkeyServer) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey.url)
    store = Store.open(settings)

    async def open_and_close(turns: int) -> None:
        async with Hub(store, settings, lambda: False).open():
            for turn in range(turns):
                if turn % 5 == 4:
                    store.client.xadd("cj:feed", EVENT)  # type: ignore[arg-type]  # a dict of str
                await asyncio.sleep(0)

    async def often() -> None:
        for turns in range(40):
            async with asyncio.timeout(60):
                await open_and_close(turns % 30)

    asyncio.run(often())
    store.client.close()
