"""Facts of a trainer become events once each, whatever becomes of a report's answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.streams.history import history
from jobs.errors import Unavailable
from jobs.record import Record
from jobs.states import Reason, State
from jobs.store import Store
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace
from worker.relay import Relay


class Forgetful(Store):
    """A store whose server goes away after it has done what the next report asked for."""

    silent = False

    def report(self, *asked: Any, **named: Any) -> Record:
        record = super().report(*asked, **named)
        if self.silent:
            self.silent = False
            raise Unavailable("gone before it could answer")
        return record


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def reported(place: Workplace, job_id: str, attempt: int, *steps: int) -> None:
    """The trainer of an attempt saves a checkpoint after each of these steps."""
    facts = place.run(job_id).attempt(attempt).facts
    facts.parent.mkdir(parents=True, exist_ok=True)
    with facts.open("a") as stream:
        for step in steps:
            told = {"type": "checkpoint", "time": 1.0, "step": step, "samples": 10 * step, "seconds": 0.1}
            stream.write(json.dumps(told) + "\n")


def told(place: Workplace, job_id: str) -> list[int]:
    events = history(place.store, place.volume, job_id)
    return [event["step"] for event in events if event["type"] == "checkpoint"]


def samples(place: Workplace) -> int:
    return int(place.store.client.hget("cj:totals", "samples") or 0)


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_report_whose_answer_is_lost(place: Workplace, attempts: int) -> None:
    job_id = place.submit().id
    for attempt in range(1, attempts + 1):
        record = place.store.claim(job_id, worker="w", lease_seconds=60, last_attempt=attempt - 1)
        assert record is not None
        if attempt < attempts:
            # One that was killed before anybody read what it had reported.
            place.store.transition(record, State.QUEUED, Reason.WORKER_LOST)
    store = Forgetful.open(place.settings)
    relay = Relay(store, place.run(job_id), record)
    reported(place, job_id, 1, 1, 2)
    store.silent = True
    with pytest.raises(Unavailable):
        relay.forward()
    assert told(place, job_id) == [1, 2]
    # Meanwhile the trainer goes on.
    reported(place, job_id, attempts, 3, 4)
    relay.forward()
    assert told(place, job_id) == [1, 2, 3, 4]
    reported(place, job_id, attempts, 5)
    relay.forward()
    assert told(place, job_id) == [1, 2, 3, 4, 5]
    assert samples(place) == 50


def test_what_follows_a_torn_line_is_counted_from_where_training_stood(place: Workplace) -> None:
    job_id = place.submit().id
    record = place.store.claim(job_id, worker="w", lease_seconds=60, last_attempt=0)
    assert record is not None
    relay = Relay(place.store, place.run(job_id), record)
    reported(place, job_id, 1, 1, 2)
    with place.run(job_id).attempt(1).facts.open("a") as stream:
        stream.write('{"type": "checkpo\n')
    relay.forward()
    reported(place, job_id, 1, 3)
    relay.forward()
    assert told(place, job_id) == [1, 2, 3]
    assert samples(place) == 30
