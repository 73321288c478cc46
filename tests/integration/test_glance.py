"""Records read on an event loop, several in one trip."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobs.errors import NotFound, Unavailable
from jobs.queries.glance import Glances
from jobs.record import Record
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.new_records import queued
from tests.valkey_server import ValkeyServer


def trips(store: Store) -> int:
    """Scripts that the server was asked to run, by their digests."""
    return int(store.client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])


def test_who_asks_together_is_answered_together(tmp_path: Path, valkey: ValkeyServer) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey.url)
    store = Store.open(settings)
    for number in range(150):
        record = Record(
            id=f"job_{number}",
            name=f"n{number}",
            state=State.QUEUED,
            reason=Reason.SUBMITTED,
            dataset="ds_1",
            fingerprint="f",
        )
        queued(store, record)

    async def ask() -> tuple[list[object], int]:
        glances = Glances.open(settings)
        before = trips(store)
        ids = [*(f"job_{number}" for number in range(150)), "job_0", "job_none"]
        found = await asyncio.gather(*(glances.at(name) for name in ids), return_exceptions=True)
        asked = trips(store) - before
        # Somebody who goes away meanwhile harms nobody.
        gone = asyncio.create_task(glances.at("job_1"))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await glances.at("job_2")).record.name == "n2"
        await glances.close()
        return list(found), asked

    found, asked = asyncio.run(ask())
    records = [glance.record for glance in found[:151]]  # type: ignore[attr-defined]
    assert [record.name for record in records] == [*(f"n{number}" for number in range(150)), "n0"]
    assert records[0] == store.get("job_0")
    assert isinstance(found[151], NotFound)
    # A hundred jobs a trip, and one in which the server learns the script.
    assert asked <= 3
    assert abs(found[0].now_ms - store.now_ms()) < 60_000  # type: ignore[attr-defined]
    valkey.stop()

    async def ask_in_vain() -> None:
        glances = Glances.open(settings)
        with pytest.raises(Unavailable):
            await glances.at("job_1")
        valkey.start()
        with pytest.raises(NotFound):
            await glances.at("job_1")
        await glances.close()

    asyncio.run(ask_in_vain())
    store.client.close()
