"""Redis lost for good: the volume tells everything, and unfinished jobs go on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jobs import idempotency
from jobs.idempotency import Claim, Made
from jobs.journal import journal, read_events
from jobs.queue import QUEUE_NAME, TokenQueue
from jobs.record import Record
from jobs.recovery.reconcile import reconcile
from jobs.recovery.rescan import Rescan, rescan, rescan_if_lost
from jobs.retry import retry
from jobs.states import Reason, State
from jobs.steer import pause, resume
from jobs.store import Store
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, alive, undisturbed
from trainer.files import read_json

LONG = {"steps": 100, "seconds": 0.02, "checkpoint_every": 10}


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def scan(place: Workplace) -> Rescan:
    return rescan(place.store, place.queue, place.settings)


def journaled(place: Workplace) -> None:
    """As the reconciler leaves it: ended jobs' events are on the volume."""
    place.wait_until(lambda: not place.store.unjournaled())


def gapless(place: Workplace, job_id: str) -> list[str]:
    events = place.events(job_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events]


def essence(record: Record) -> dict[str, Any]:
    """What must survive; times of phases are told by events to a few milliseconds."""
    told_otherwise = {"timings", "first_minibatch_at"}
    lost = {"worker", "updated_at", "progress", "cancel_requested"} | told_otherwise
    return {name: value for name, value in record.public(0).items() if name not in lost}


def test_ended_jobs_are_as_they_were(place: Workplace, valkey: ValkeyServer) -> None:
    worker = place.start_worker()
    done = place.submit().id
    failed = place.submit(fail={"reason": "diverged", "detail": "at step 4"}).id
    cancelled = place.submit(**LONG).id
    place.trainer_at_work(cancelled)
    place.store.request_cancel(cancelled)
    for job_id, state in ((done, State.SUCCEEDED), (failed, State.FAILED), (cancelled, State.CANCELLED)):
        place.wait_for(job_id, state)
    journaled(place)
    worker.terminate()
    worker.wait()
    before = {job_id: place.store.get(job_id) for job_id in (done, failed, cancelled)}
    with valkey.client() as client:
        client.flushall()
    found = scan(place)
    assert (found.restored, found.queued, found.known) == (3, 0, 0)
    for job_id, record in before.items():
        again = place.store.get(job_id)
        # Figures that were reported between two events are gone.
        figures = {"losses": {}, "metrics": {}} if job_id == cancelled else {}
        assert essence(again) == essence(record) | figures
        assert abs(again.training_ms - record.training_ms) < 2000
        assert again.seq == record.seq
    assert place.store.counts()[State.SUCCEEDED] == 1
    assert [record.id for record in place.store.page().records] == sorted(before, reverse=True)
    reconcile(place.store, place.queue, place.settings)
    assert place.store.unjournaled() == []
    assert place.store.live_jobs("ds_practice") == []
    again = scan(place)
    assert (again.restored, again.known) == (0, 3)
    # What was possible before is possible now.
    assert retry(failed, {}, place.store, place.queue, place.settings).state is State.QUEUED


def test_unfinished_jobs_go_on(place: Workplace, valkey: ValkeyServer) -> None:
    """Redis is emptied under a running worker: it does by itself what has to be done."""
    place.start_worker()
    running = place.submit(**LONG).id
    waiting = place.submit(steps=6).id
    trainer = place.trainer_at_work(running, checkpoints=2)
    with valkey.client() as client:
        client.flushall()
    place.wait_until(lambda: not alive(trainer))
    place.wait_until(lambda: bool(place.store.client.exists(f"cj:job:{running}")))
    for job_id, steps in ((running, 100), (waiting, 6)):
        place.wait_for(job_id, State.SUCCEEDED)
        assert read_json(place.run(job_id).result)["parameters_sha256"] == undisturbed(steps)
        assert not (place.run(job_id).path / "overlap").exists()
    types = gapless(place, running)
    assert types.count("checkpoint") == 10
    assert "queued" in gapless(place, waiting)


def test_a_paused_job_stays_paused(place: Workplace, valkey: ValkeyServer) -> None:
    place.start_worker()
    job_id = place.submit(**LONG).id
    place.trainer_at_work(job_id, checkpoints=1)
    pause(job_id, place.store)
    record = place.wait_for(job_id, State.PAUSED)
    place.wait_until(lambda: read_events(place.run(job_id))[-1]["type"] == "paused")
    with valkey.client() as client:
        client.flushall()
    scan(place)
    assert essence(place.store.get(job_id)) == essence(record)
    assert place.store.live_jobs("ds_practice") == [job_id]
    resume(job_id, place.store, place.queue)
    place.wait_for(job_id, State.SUCCEEDED)
    gapless(place, job_id)


@pytest.mark.parametrize("asked", ["cancel", "pause", "pause and resume"])
def test_what_was_asked_for_is_honoured(place: Workplace, valkey: ValkeyServer, asked: str) -> None:
    job_id = place.submit().id
    assert place.store.claim(job_id, worker="w", lease_seconds=60) is not None
    if asked == "cancel":
        place.store.request_cancel(job_id)
    else:
        place.store.request_pause(job_id)
    if asked == "pause and resume":
        place.store.request_resume(job_id)
    journal(place.store, place.run(job_id), job_id)
    with valkey.client() as client:
        client.flushall()
    scan(place)
    wanted = {"cancel": State.CANCELLED, "pause": State.PAUSED, "pause and resume": State.QUEUED}[asked]
    assert place.store.get(job_id).state is wanted


def test_a_submission_that_was_never_answered_is_no_job(place: Workplace, valkey: ValkeyServer) -> None:
    accepted, interrupted = place.submit().id, place.submit().id
    place.run(interrupted).accepted.unlink()
    with valkey.client() as client:
        client.flushall()
    found = scan(place)
    assert (found.restored, found.queued, found.interrupted) == (1, 1, 1)
    record = place.store.get(accepted)
    assert (record.state, record.reason) == (State.QUEUED, Reason.RECOVERED)
    assert place.store.client.llen(f"rq:queue:{QUEUE_NAME}") == 1
    assert not place.store.client.exists(f"cj:job:{interrupted}")


def test_a_run_directory_that_tells_nothing(place: Workplace, valkey: ValkeyServer) -> None:
    broken, whole = place.submit().id, place.submit().id
    place.run(broken).spec.write_text("{")
    (place.volume.jobs / "lost+found").mkdir()
    with valkey.client() as client:
        client.flushall()
    found = scan(place)
    assert (found.unreadable, found.restored) == ([broken], 1)
    assert place.store.get(whole).state is State.QUEUED


def test_a_key_stands_for_its_job_still(place: Workplace, valkey: ValkeyServer) -> None:
    claim = idempotency.begin(place.store, "", "k1")
    assert isinstance(claim, Claim)
    record = place.submit(claim=claim.of({"body": 1}, 202))
    with valkey.client() as client:
        client.flushall()
    scan(place)
    found = idempotency.begin(place.store, "", "k1")
    assert isinstance(found, Made)
    assert (found.id, found.status) == (record.id, 202)
    found.require({"body": 1})
    assert place.store.get(record.id).created_at == record.created_at


def test_many_at_once_restore_each_job_once(place: Workplace, valkey: ValkeyServer) -> None:
    jobs = [place.submit().id for _ in range(8)]
    with valkey.client() as client:
        client.flushall()

    def one(_: int) -> Rescan:
        store = Store.open(place.settings)
        return rescan(store, TokenQueue(store.client), place.settings)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(4)))
    assert sum(each.restored for each in found) == 8
    assert place.store.client.llen(f"rq:queue:{QUEUE_NAME}") == 8
    for job_id in jobs:
        assert [event.data["type"] for event in place.store.events_after(job_id, 0)] == ["queued"]
    assert rescan_if_lost(place.store, place.queue, place.settings) is None
