"""Guards, indexes and events of the store, against a real server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from jobs import ids
from jobs.connection import connect
from jobs.errors import Conflict, NotFound, Refused, Unavailable
from jobs.queue import TokenQueue, token_for
from jobs.record import Record
from jobs.states import TERMINAL, TRANSITIONS, Reason, State, Transition
from jobs.store import Hold, Store
from tests.new_records import queued
from tests.valkey_server import ValkeyServer

MOVES = [row for row in TRANSITIONS if row.source is not None]


@pytest.fixture
def store(valkey: ValkeyServer) -> Store:
    return Store(connect(valkey.url))


def nothing(*_: Any) -> None:
    pass


def new_record(dataset: str = "ds_1") -> Record:
    return Record(
        id=ids.new_job_id(),
        name="n",
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset=dataset,
        fingerprint="f",
    )


def create(store: Store, dataset: str = "ds_1", check: Callable[[], None] = nothing) -> Record:
    record = new_record(dataset)
    return queued(store, record, token=token_for(record.id).document(), meanwhile=check)


def claim(store: Store, job_id: str, **more: Any) -> Record:
    record = store.claim(job_id, worker="w", lease_seconds=60, **more)
    assert record is not None
    return record


def retry(store: Store, record: Record, **fields: Any) -> Record:
    queue = TokenQueue(store.client)
    return store.retry(
        record, "", fields=fields, check=nothing, push_token=lambda pipe: queue.push(record.id, None, pipe)
    )


def brought_to(store: Store, state: State) -> Record:
    """A job in a state, by permitted moves."""
    record = create(store)
    if state is State.QUEUED:
        return record
    record = claim(store, record.id)
    if state is State.RUNNING:
        return record
    if state is State.PAUSED:
        store.request_pause(record.id)
    [reason, *_] = next(row.reasons for row in MOVES if (row.source, row.target) == (State.RUNNING, state))
    return store.transition(record, state, reason)


def indexes(store: Store, job_id: str) -> dict[str, bool]:
    client = store.client
    return {
        **{state: client.zscore(f"cj:jobs:{state}", job_id) is not None for state in State},
        "waiting": client.zscore("cj:waiting", job_id) is not None,
        "leased": client.zscore("cj:leases", job_id) is not None,
        "live": bool(client.sismember("cj:dataset:ds_1:live", job_id)),
        "unjournaled": bool(client.sismember("cj:unjournaled", job_id)),
    }


def types(store: Store, job_id: str) -> list[str]:
    events = store.events_after(job_id, 0)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert store.get(job_id).seq == len(events)
    return [event.data["type"] for event in events]


def test_a_new_job(store: Store) -> None:
    record = create(store)
    assert record == store.get(record.id)
    assert (record.state, record.attempt, record.seq) == (State.QUEUED, 0, 1)
    assert record.created_at == record.updated_at == record.phase_at > 0
    assert types(store, record.id) == ["queued"]
    assert TokenQueue(store.client).oldest_ms() is not None


@pytest.mark.parametrize("state", list(State))
def test_every_state_has_its_indexes(store: Store, state: State) -> None:
    record = brought_to(store, state)
    assert record.state is state
    assert indexes(store, record.id) == {
        **{other: other is state for other in State},
        "waiting": state is State.QUEUED,
        "leased": state is State.RUNNING,
        "live": state not in TERMINAL,
        "unjournaled": state in TERMINAL,
    }
    assert (record.finished_at is not None) == (state in TERMINAL)
    assert store.counts() == {other: int(other is state) for other in State}


@pytest.mark.parametrize("found", list(State))
@pytest.mark.parametrize("move", MOVES, ids=lambda row: f"{row.source}-{row.target}")
def test_a_move_is_refused_from_any_other_state(store: Store, move: Transition, found: State) -> None:
    record = brought_to(store, found)
    assert move.source is not None
    believed = record.model_copy(update={"state": move.source})
    events = types(store, record.id)

    def attempt() -> Record | None:
        if move.target is State.RUNNING:
            return store.claim(record.id, worker="w", lease_seconds=60)
        if move.source is State.FAILED:
            return retry(store, believed)
        if (move.source, move.target, found) == (State.RUNNING, State.PAUSED, State.RUNNING):
            # Without a request the pause was called off.
            return store.transition(store.request_pause(record.id), move.target, move.reasons[0])
        return store.transition(believed, move.target, move.reasons[0])

    if move.source is found:
        moved = attempt()
        assert moved is not None
        assert moved.state is move.target
        return
    with suppress(Refused):
        assert attempt() is None
    assert store.get(record.id) == record
    assert types(store, record.id) == events


def test_a_move_outside_the_table_is_a_mistake_of_ours(store: Store) -> None:
    record = create(store)
    for target, reason in [(State.SUCCEEDED, Reason.COMPLETED), (State.RUNNING, Reason.STARTING)]:
        with pytest.raises(ValueError, match="no transition of this method"):
            store.transition(record, target, reason)
    failed = brought_to(store, State.FAILED)
    with pytest.raises(ValueError, match="no transition of this method"):
        store.transition(failed, State.QUEUED, Reason.RETRIED)


def test_another_attempt_s_move_is_refused(store: Store) -> None:
    first = claim(store, create(store).id)
    store.transition(first, State.QUEUED, Reason.CRASHED)
    second = claim(store, first.id)
    assert second.attempt == 2
    with pytest.raises(Refused):
        store.transition(first, State.SUCCEEDED, Reason.COMPLETED)
    with pytest.raises(Refused):
        store.report(first.id, first.attempt, fields={"progress": {"epoch": 9}})
    assert store.renew(first.id, first.attempt, 60) is Hold.LOST
    assert store.renew(first.id, second.attempt, 60) is Hold.HELD
    assert store.get(first.id) == second


def test_one_of_many_claims_wins(store: Store, valkey: ValkeyServer) -> None:
    jobs = [create(store).id for _ in range(20)]
    barrier = threading.Barrier(8)

    def race(name: str) -> list[str]:
        own = Store(connect(valkey.url))
        barrier.wait()
        return [job for job in jobs if own.claim(job, worker=name, lease_seconds=60)]

    with ThreadPoolExecutor(8) as pool:
        won = [job for claimed in pool.map(race, map(str, range(8))) for job in claimed]
    assert sorted(won) == jobs
    assert {store.get(job).attempt for job in jobs} == {1}


def test_a_claim_takes_no_number_that_the_volume_knows(store: Store) -> None:
    """A server that lost its last second may have forgotten an attempt and its events."""
    record = claim(store, create(store).id, last_attempt=3, floor=7)
    assert (record.attempt, record.seq) == (4, 8)


def test_a_lease_runs_out(store: Store) -> None:
    record = create(store)
    assert store.claim(record.id, worker="w", lease_seconds=0.0) is not None
    running = claim(store, create(store).id)
    [expired] = store.expired_leases()
    assert expired.id == record.id
    with pytest.raises(Refused):
        store.transition(running, State.QUEUED, Reason.WORKER_LOST, only_expired=True)
    assert (
        store.transition(expired, State.QUEUED, Reason.WORKER_LOST, only_expired=True).state is State.QUEUED
    )


def test_a_lease_renewed_in_time_is_no_longer_expired(store: Store) -> None:
    store.claim(create(store).id, worker="w", lease_seconds=0.0)
    [expired] = store.expired_leases()
    assert store.renew(expired.id, 1, 60) is Hold.HELD
    with pytest.raises(Refused):
        store.transition(expired, State.QUEUED, Reason.WORKER_LOST, only_expired=True)


def test_what_the_trainer_reports(store: Store) -> None:
    record = claim(store, create(store).id)
    reported = store.report(
        record.id,
        1,
        events=[(5, 1, {"type": "first_minibatch"}), (6, 1, {"type": "epoch", "epoch": 1, "x": 0.1 + 0.2})],
        fields={"progress": {"epoch": 1}, "losses": {"train": {"total": 0.1 + 0.2}}, "checkpoints": 2},
        training=True,
    )
    assert (reported.reason, reported.seq, reported.checkpoints) == (Reason.TRAINING, 4, 2)
    assert reported.losses == {"train": {"total": 0.1 + 0.2}}
    assert reported.first_minibatch_at is not None
    assert types(store, record.id) == ["queued", "running", "first_minibatch", "epoch"]
    last = store.events_after(record.id, 3)
    assert [(event.time, event.attempt, event.data["x"]) for event in last] == [(6, 1, 0.1 + 0.2)]


def test_a_later_attempt_trains_again_from_starting(store: Store) -> None:
    record = claim(store, create(store).id)
    first = store.report(record.id, 1, training=True).first_minibatch_at
    record = store.transition(store.get(record.id), State.QUEUED, Reason.WORKER_STOPPED)
    record = claim(store, record.id)
    assert (record.reason, record.first_minibatch_at) == (Reason.STARTING, first)
    started = record.started_at
    assert store.report(record.id, 2, training=True).started_at == started


def test_a_queued_job_is_cancelled_at_once(store: Store) -> None:
    record = create(store)
    assert store.request_cancel(record.id).state is State.CANCELLED
    assert store.claim(record.id, worker="w", lease_seconds=60) is None
    assert types(store, record.id) == ["queued", "cancelled"]
    assert store.request_cancel(record.id).state is State.CANCELLED
    assert types(store, record.id) == ["queued", "cancelled"]


def test_a_running_job_is_asked_to_end_once(store: Store) -> None:
    record = claim(store, create(store).id)
    for _ in range(3):
        asked = store.request_cancel(record.id)
        assert (asked.state, asked.cancel_requested) == (State.RUNNING, True)
    assert types(store, record.id) == ["queued", "running", "cancel_requested"]
    assert store.renew(record.id, 1, 60) is Hold.CANCEL


def test_a_request_to_cancel_survives_the_attempt(store: Store) -> None:
    record = claim(store, create(store).id)
    store.request_cancel(record.id)
    moved = store.transition(record, State.QUEUED, Reason.CRASHED, fields={"crashes": 1})
    assert (moved.state, moved.reason) == (State.CANCELLED, Reason.CANCEL_REQUESTED)
    assert not indexes(store, record.id)["waiting"]


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_what_has_ended_cannot_be_cancelled(store: Store, state: State) -> None:
    record = brought_to(store, state)
    with pytest.raises(Conflict, match="has already ended"):
        store.request_cancel(record.id)
    assert store.get(record.id) == record


def test_a_job_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        store.get("job_none")
    with pytest.raises(NotFound):
        store.request_cancel("job_none")
    assert store.claim("job_none", worker="w", lease_seconds=60) is None
    assert store.renew("job_none", 1, 60) is Hold.LOST


def test_pages_stay_as_they_were_while_jobs_arrive(store: Store) -> None:
    old = [create(store).id for _ in range(7)]
    first = store.page(limit=3)
    for _ in range(5):
        create(store)
    store.request_cancel(old[2])
    second = store.page(after=first.next_after, limit=3)
    third = store.page(after=second.next_after, limit=3)
    listed = [record.id for page in (first, second, third) for record in page.records]
    assert listed == sorted(old, reverse=True)
    assert third.next_after is None


def test_pages_of_one_state(store: Store) -> None:
    mine = [create(store).id for _ in range(4)]
    store.request_cancel(mine[1])
    assert [record.id for record in store.page(status=State.CANCELLED).records] == [mine[1]]
    page = store.page(status=State.QUEUED, limit=2)
    assert [record.id for record in page.records] == [mine[3], mine[2]]
    assert page.next_after == mine[2]
    assert [r.id for r in store.page(status=State.QUEUED, limit=2, after=mine[2]).records] == [mine[0]]


def test_a_data_set_in_use_is_not_deleted(store: Store) -> None:
    record = create(store)
    with pytest.raises(Conflict, match="needed by 1 job") as caught, store.deleting_dataset("ds_1"):
        pytest.fail("the data set is in use")
    assert caught.value.extra == {"jobs": [record.id]}
    store.request_cancel(record.id)
    with store.deleting_dataset("ds_1"):
        pass


def test_nothing_is_submitted_while_a_data_set_is_deleted(store: Store) -> None:
    with store.deleting_dataset("ds_1"), pytest.raises(Conflict, match="is being deleted"):
        create(store)
    assert store.page().records == []
    assert TokenQueue(store.client).oldest_ms() is None
    create(store)


def test_a_deletion_between_check_and_submission_wins(store: Store, valkey: ValkeyServer) -> None:
    other = Store(connect(valkey.url))

    def delete_meanwhile() -> None:
        with other.deleting_dataset("ds_1"):
            pass

    with pytest.raises(Conflict, match="is being deleted"):
        create(store, check=delete_meanwhile)
    assert store.page().records == []


def test_a_check_that_fails_creates_nothing(store: Store) -> None:
    def refuse() -> None:
        raise NotFound("gone")

    with pytest.raises(NotFound):
        create(store, check=refuse)
    assert store.client.keys("*") == []


def test_redis_away_is_unavailable(store: Store, valkey: ValkeyServer) -> None:
    record = create(store)
    valkey.stop()
    for attempt in (
        store.ping,
        store.now_ms,
        store.page,
        lambda: store.get(record.id),
        lambda: create(store),
        lambda: store.claim(record.id, worker="w", lease_seconds=1),
        lambda: store.renew(record.id, 1, 1),
        lambda: TokenQueue(store.client).push(record.id),
    ):
        with pytest.raises(Unavailable, match="the job store cannot be used now"):
            attempt()


def test_a_full_server_is_unavailable(store: Store) -> None:
    store.client.config_set("maxmemory", "1")
    try:
        with pytest.raises(Unavailable):
            create(store)
    finally:
        store.client.config_set("maxmemory", "0")
    assert store.page().records == []


def test_pausing_a_job_that_waits_and_resuming_it(store: Store) -> None:
    record = create(store)
    for _ in range(2):
        assert store.request_pause(record.id).state is State.PAUSED
    assert store.claim(record.id, worker="w", lease_seconds=60) is None
    for _ in range(2):
        resumed = store.request_resume(record.id)
        assert (resumed.state, resumed.reason) == (State.QUEUED, Reason.RESUMED)
    assert types(store, record.id) == ["queued", "paused", "queued"]


def test_pausing_a_job_that_runs(store: Store) -> None:
    record = claim(store, create(store).id)
    for _ in range(2):
        assert store.request_pause(record.id).pause_requested
    assert store.renew(record.id, 1, 60) is Hold.PAUSE
    # Its worker is lost before it could do anything about it: the job does not go on by itself.
    moved = store.transition(record, State.QUEUED, Reason.WORKER_LOST, fields={"crashes": 1})
    assert (moved.state, moved.pause_requested, moved.crashes) == (State.PAUSED, False, 1)
    assert types(store, record.id) == ["queued", "running", "pause_requested", "paused"]
    assert store.live_jobs("ds_1") == [record.id]


def test_a_pause_called_off(store: Store) -> None:
    record = claim(store, create(store).id)
    store.request_pause(record.id)
    for _ in range(2):
        assert not store.request_resume(record.id).pause_requested
    assert store.renew(record.id, 1, 60) is Hold.HELD
    # The trainer was on its way out already.
    moved = store.transition(record, State.PAUSED, Reason.PAUSE_REQUESTED)
    assert (moved.state, moved.reason) == (State.QUEUED, Reason.RESUMED)
    assert types(store, record.id) == ["queued", "running", "pause_requested", "resume_requested", "queued"]


def test_a_cancel_wins_over_a_pause(store: Store) -> None:
    record = claim(store, create(store).id)
    store.request_pause(record.id)
    store.request_cancel(record.id)
    store.request_resume(record.id)
    assert store.renew(record.id, 1, 60) is Hold.CANCEL
    moved = store.transition(record, State.PAUSED, Reason.PAUSE_REQUESTED)
    assert (moved.state, moved.reason) == (State.CANCELLED, Reason.CANCEL_REQUESTED)
    with pytest.raises(Conflict, match="was cancelled"):
        store.request_pause(record.id)


def test_a_cancel_at_once_wins_over_one_that_saves(store: Store) -> None:
    record = claim(store, create(store).id)
    store.request_cancel(record.id, save=True)
    assert store.renew(record.id, 1, 60) is Hold.CANCEL_SAVING
    store.request_cancel(record.id, save=True)
    store.request_cancel(record.id)
    assert store.renew(record.id, 1, 60) is Hold.CANCEL
    store.request_cancel(record.id, save=True)
    assert store.renew(record.id, 1, 60) is Hold.CANCEL
    assert types(store, record.id) == ["queued", "running", "cancel_requested"]


def test_a_cancel_of_a_paused_job(store: Store) -> None:
    record = brought_to(store, State.PAUSED)
    assert store.request_cancel(record.id).state is State.CANCELLED
    assert store.live_jobs("ds_1") == []


@pytest.mark.parametrize("end", sorted(TERMINAL))
@pytest.mark.parametrize("ask", ["request_pause", "request_resume"])
def test_an_end_that_came_first(store: Store, end: State, ask: str) -> None:
    record = brought_to(store, end)
    with pytest.raises(Conflict, match="already ended"):
        getattr(store, ask)(record.id)
    assert store.get(record.id) == record


def test_a_retry_needs_the_data_set_and_forgets_the_result(store: Store) -> None:
    record = claim(store, create(store).id)
    store.request_cancel(record.id)
    failed = store.transition(record, State.FAILED, Reason.DIVERGED, fields={"result": {"step": 3}})
    with store.deleting_dataset("ds_1"), pytest.raises(Conflict, match="being deleted"):
        retry(store, failed)
    queued = retry(store, failed, crashes=0)
    assert (queued.state, queued.reason, queued.result) == (State.QUEUED, Reason.RETRIED, None)
    assert (queued.cancel_requested, queued.finished_at) == (False, None)
    assert indexes(store, record.id)["live"]
    with pytest.raises(Refused):
        retry(store, failed)
    assert claim(store, record.id).attempt == 2


def test_a_journal_that_comes_late_leaves_a_retried_job_its_events(store: Store) -> None:
    failed = brought_to(store, State.FAILED)
    retry(store, failed)
    store.note_journaled(failed.id, failed.seq)
    assert types(store, failed.id)[-1] == "queued"
    running = claim(store, failed.id)
    failed = store.transition(running, State.FAILED, Reason.DIVERGED)
    store.note_journaled(failed.id, failed.seq - 1)
    assert store.unjournaled() == [failed.id]
    store.note_journaled(failed.id, failed.seq)
    assert (store.unjournaled(), store.events_after(failed.id, 0)) == ([], [])
