"""The reconciler: what it repairs, what it leaves alone, and that doing it twice changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs.journal import journal, last_event, read_events
from jobs.queue import QUEUE_NAME, TokenQueue
from jobs.record import Record
from jobs.recovery.reconcile import reconcile
from jobs.states import Reason, State
from jobs.store import Store
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace

LEASE_S = 0.9


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    # So short a lease that the server has been up for longer at once.
    with Workplace(tmp_path, valkey.url, lease_seconds=LEASE_S, lost_limit=2) as place:
        # Before the server has been up for longer than a lease, no lease is looked at.
        place.wait_until(lambda: place.store.uptime_seconds() >= 1)
        yield place


def passes(place: Workplace, number: int = 3) -> None:
    for _ in range(number):
        reconcile(place.store, place.queue, place.settings)


def claimed(place: Workplace, job_id: str, lease_seconds: float) -> Record:
    record = place.store.claim(job_id, worker="w", lease_seconds=lease_seconds)
    assert record is not None
    return record


def tokens(place: Workplace) -> int:
    return int(place.store.client.llen(f"rq:queue:{QUEUE_NAME}"))


def take_token(place: Workplace) -> None:
    """As a worker that dies between taking a token and claiming the job."""
    place.store.client.lpop(f"rq:queue:{QUEUE_NAME}")


def wait_a_lease(place: Workplace, jobs: int = 1) -> None:
    """Until so many jobs have waited for as long as a worker may take from a token to a claim."""
    lease_ms = round(LEASE_S * 1000)
    place.wait_until(lambda: len(place.store.waiting_since_before(place.store.now_ms() - lease_ms)) >= jobs)


def test_an_expired_lease_is_queued_again_once(place: Workplace) -> None:
    job_id = place.submit().id
    take_token(place)
    claimed(place, job_id, lease_seconds=0)
    place.wait_until(lambda: bool(place.store.expired_leases()))
    passes(place, 1)
    record = place.store.get(job_id)
    assert (record.state, record.reason, record.losses_in_a_row) == (State.QUEUED, Reason.WORKER_LOST, 1)
    assert "worker w no longer renewed its lease of attempt 1" in record.detail
    assert tokens(place) == 1


def test_a_lease_that_holds_is_left_alone(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, lease_seconds=60) as place:
        record = claimed(place, place.submit().id, lease_seconds=60)
        passes(place)
        assert place.store.get(record.id) == record


def test_attempts_that_get_nowhere_fail_the_job(place: Workplace) -> None:
    job_id = place.submit().id
    for _ in range(2):
        claimed(place, job_id, lease_seconds=0)
        place.wait_until(lambda: bool(place.store.expired_leases()))
        passes(place)
    record = place.store.get(job_id)
    assert (record.state, record.reason) == (State.FAILED, Reason.CRASHED)
    assert record.detail.startswith("2 workers in a row were lost without a new checkpoint")


def test_attempts_that_get_on_do_not_count(place: Workplace) -> None:
    job_id = place.submit().id
    for samples in (10, 20, 30):
        claimed(place, job_id, lease_seconds=0)
        place.run(job_id).checkpoint(samples).path.mkdir(parents=True)
        place.wait_until(lambda: bool(place.store.expired_leases()))
        passes(place)
    record = place.store.get(job_id)
    assert (record.state, record.losses_in_a_row, record.attempt) == (State.QUEUED, 0, 3)


def test_a_job_waits_before_its_next_attempt(place: Workplace) -> None:
    record = claimed(place, place.submit().id, lease_seconds=60)
    take_token(place)
    moved = place.store.transition(record, State.QUEUED, Reason.CRASHED, delay_s=1)
    assert moved.not_before is not None
    assert (moved.claimable, moved.not_before - moved.phase_at) == (False, 1000)
    assert place.store.claim(record.id, worker="w", lease_seconds=60) is None
    passes(place)
    assert tokens(place) == 0
    place.wait_until(lambda: bool(place.store.due()))
    stores = [Store.open(place.settings) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(lambda each: each.note_due(record.id), stores))
    assert won.count(True) == 1
    assert place.store.get(record.id).claimable
    claimed(place, record.id, lease_seconds=60)


def test_the_reconciler_gives_it_a_token_then(place: Workplace) -> None:
    record = claimed(place, place.submit().id, lease_seconds=60)
    take_token(place)
    place.store.transition(record, State.QUEUED, Reason.CRASHED, delay_s=1)
    place.wait_until(lambda: bool(place.store.due()))
    passes(place)
    assert tokens(place) == 1


def test_a_cancelled_job_whose_worker_died_is_cancelled(place: Workplace) -> None:
    job_id = place.submit().id
    claimed(place, job_id, lease_seconds=0)
    place.store.request_cancel(job_id)
    place.wait_until(lambda: bool(place.store.expired_leases()))
    passes(place)
    assert place.store.get(job_id).state is State.CANCELLED


def test_leases_wait_for_their_holders_after_a_restart(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, lease_seconds=3600) as place:
        record = claimed(place, place.submit().id, lease_seconds=0)
        place.wait_until(lambda: bool(place.store.expired_leases()))
        passes(place)
        assert place.store.get(record.id) == record


def test_a_lost_token_is_replaced(place: Workplace) -> None:
    place.submit()
    take_token(place)
    wait_a_lease(place)
    passes(place)
    assert tokens(place) == 1


def test_a_lost_token_is_found_however_long_the_queue(place: Workplace) -> None:
    lost = place.submit().id
    wait_a_lease(place)
    since = dict(place.store.waiting_since_before(10**15))
    for _ in range(5):
        place.submit()
    take_token(place)
    passes(place)
    assert tokens(place) == 6
    assert dict(place.store.waiting_since_before(10**15))[lost] > since[lost]


def test_a_long_queue_does_not_grow(place: Workplace) -> None:
    for _ in range(5):
        place.submit()
    wait_a_lease(place, jobs=5)
    passes(place)
    assert tokens(place) == 5


def test_many_at_once_replace_a_token_once(place: Workplace, valkey: ValkeyServer) -> None:
    job_id = place.submit().id
    take_token(place)
    [(_, seen_ms)] = place.store.waiting_since_before(10**15)
    place.wait_until(lambda: place.store.now_ms() > seen_ms)
    stores = [Store.open(place.settings) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(lambda each: each.note_new_token(job_id, seen_ms), stores))
    assert won.count(True) == 1


def test_many_at_once_expire_a_lease_once(place: Workplace) -> None:
    job_id = place.submit().id
    claimed(place, job_id, lease_seconds=0)
    place.wait_until(lambda: bool(place.store.expired_leases()))

    def one_pass(_: int) -> None:
        store = Store.open(place.settings)
        reconcile(store, TokenQueue(store.client), place.settings)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one_pass, range(6)))
    assert place.store.get(job_id).losses_in_a_row == 1
    kinds = [event.data["type"] for event in place.store.events_after(job_id, 0)]
    assert kinds == ["queued", "running", "queued"]


def test_the_last_events_of_an_ended_job_reach_the_volume(place: Workplace) -> None:
    job_id = place.submit().id
    place.store.request_cancel(job_id)
    passes(place)
    assert [event["type"] for event in read_events(place.run(job_id))] == ["queued", "cancelled"]
    assert place.store.unjournaled() == []
    assert not place.store.client.exists(f"cj:events:{job_id}")


def test_a_journal_is_copied_once_by_many(place: Workplace) -> None:
    job_id = place.submit().id
    record = claimed(place, job_id, lease_seconds=60)
    run = place.run(job_id)
    for step in range(20):
        place.store.report(record.id, 1, events=[(step, 1, {"type": "epoch", "epoch": step})])
    stores = [Store.open(place.settings) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        ends = list(pool.map(lambda store: journal(store, run, job_id), stores))
    assert set(ends) == {22}
    assert [event["seq"] for event in read_events(run)] == list(range(1, 23))
    assert [event["seq"] for event in read_events(run, after=3, limit=2)] == [4, 5]
    assert last_event(run) == 22


def test_a_torn_line_is_written_again(place: Workplace) -> None:
    job_id = place.submit().id
    run = place.run(job_id)
    assert journal(place.store, run, job_id) == 1
    with run.events.open("ab") as file:
        file.write(b'{"seq": 2, "ti')
    claimed(place, job_id, lease_seconds=60)
    assert [event["seq"] for event in read_events(run)] == [1]
    assert journal(place.store, run, job_id) == 2
    assert [event["type"] for event in read_events(run)] == ["queued", "running"]


def test_an_event_longer_than_a_block_is_found(place: Workplace) -> None:
    job_id = place.submit().id
    claimed(place, job_id, lease_seconds=60)
    place.store.report(job_id, 1, events=[(1, 1, {"type": "epoch", "padding": "x" * 200_000})])
    run = place.run(job_id)
    assert journal(place.store, run, job_id) == 3
    assert last_event(run) == 3
    assert journal(place.store, run, job_id) == 3
