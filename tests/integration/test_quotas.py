"""Quotas of owners: however jobs come, go and change, never more run or wait than may, and turns are kept.

Hypothesis plays users, workers and an administrator; after each step the lists that workers look at are
compared with what they must be, made anew from the records. Real workers show that it comes to pass.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from jobs import ids
from jobs.access.quotas import publish
from jobs.access.token_models import Quotas
from jobs.connection import connect
from jobs.edit import edit
from jobs.errors import Conflict, NotFound, Refused, TooMany
from jobs.queries.waiting import why
from jobs.queue import TokenQueue, queue_name, token_for
from jobs.record import Record
from jobs.recovery.reconcile import reconcile
from jobs.recovery.rescan import rescan
from jobs.states import TERMINAL, Reason, State
from jobs.steer import resume
from jobs.store import Store
from jobs.workers import list_workers
from tests.new_records import queued
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace

OWNERS = ("alice", "bob", None)
CLASSES = (None, "gpu")
NOBODY = Quotas()


def held_key(owner: str | None, worker_class: str | None) -> str:
    """Where an owner's jobs are that its quota keeps from workers."""
    return f"cj:owner:{owner}:held{f':{worker_class}' if worker_class else ''}"


class Owners(RuleBasedStateMachine):
    """Two owners with quotas and jobs of nobody's, of two classes. ``url`` is set by the test."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(connect(self.url))
        self.store.client.flushall()
        self.queue = TokenQueue(self.store.client)
        self.quotas = {"alice": Quotas(queued=5, running=1), "bob": Quotas(running=2)}
        publish(self.quotas, self.store)
        self.jobs: list[str] = []

    def teardown(self) -> None:
        self.store.client.close()

    def a_job(self, data: st.DataObject) -> Record | None:
        return self.store.get(data.draw(st.sampled_from(self.jobs))) if self.jobs else None

    def of(self, owner: str | None, *states: State) -> list[Record]:
        found = self.store.many(self.jobs)
        return [record for record in found if record.owner == owner and record.state in states]

    @rule(owner=st.sampled_from(OWNERS), worker_class=st.sampled_from(CLASSES), priority=st.integers(0, 2))
    def submit(self, owner: str | None, worker_class: str | None, priority: int) -> None:
        record = Record(
            id=ids.new_job_id(),
            name="n",
            owner=owner,
            state=State.QUEUED,
            reason=Reason.SUBMITTED,
            dataset="ds_1",
            fingerprint="f",
            worker_class=worker_class,
            ahead_ms=priority * 600_000,
        )
        waiting = len(self.of(owner, State.QUEUED, State.PAUSED))
        limit = self.quotas.get(owner or "", NOBODY).queued

        def create() -> None:
            queued(
                self.store,
                record,
                token=token_for(record.id, worker_class).document(),
                placing={"class": worker_class, "requires": "{}"} if worker_class else {},
            )

        if limit is None or waiting < limit:
            create()
            self.jobs.append(record.id)
            return
        with pytest.raises(TooMany) as refused:
            create()
        assert refused.value.extra == {"quota": "queued", "value": waiting, "limit": limit}
        with pytest.raises(NotFound):
            self.store.get(record.id)

    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        job = self.a_job(data)
        if job is None:
            return
        running = len(self.of(job.owner, State.RUNNING))
        limit = self.quotas.get(job.owner or "", NOBODY).running
        if self.store.claim(job.id, worker="w", lease_seconds=60) is not None:
            assert limit is None or running < limit

    @rule(data=st.data(), ending=st.sampled_from([State.SUCCEEDED, State.FAILED, State.QUEUED, State.PAUSED]))
    def end_attempt(self, data: st.DataObject, ending: State) -> None:
        job = self.a_job(data)
        reasons = {
            State.SUCCEEDED: Reason.COMPLETED,
            State.FAILED: Reason.DIVERGED,
            State.QUEUED: Reason.CRASHED,
            State.PAUSED: Reason.PAUSE_REQUESTED,
        }
        if job is not None and job.state is State.RUNNING:
            delay = data.draw(st.sampled_from([0, 60])) if ending is State.QUEUED else 0
            self.store.transition(job, ending, reasons[ending], delay_s=delay)

    @rule(data=st.data(), what=st.sampled_from(["cancel", "pause", "resume", "retry"]))
    def steer(self, data: st.DataObject, what: str) -> None:
        job = self.a_job(data)
        if job is None:
            return
        try:
            if what == "cancel":
                self.store.request_cancel(job.id)
            elif what == "pause":
                self.store.request_pause(job.id)
            elif what == "resume":
                self.store.request_resume(job.id)
            else:
                self.store.retry(
                    job,
                    "",
                    fields={},
                    check=lambda: None,
                    push_token=lambda pipe: self.queue.push(job.id, job.worker_class, pipe),
                )
        except (Conflict, Refused, TooMany):
            pass

    @rule(data=st.data(), priority=st.integers(0, 2))
    def change_priority(self, data: st.DataObject, priority: int) -> None:
        job = self.a_job(data)
        if job is not None:
            change = {"field": "ahead_ms", "value": str(priority * 600_000), "said": f'"priority":{priority}'}
            self.store.edit(job.id, [change], [], None)

    @rule(
        owner=st.sampled_from(["alice", "bob"]),
        queued=st.none() | st.integers(0, 4),
        running=st.none() | st.integers(1, 3),
    )
    def change_quotas(self, owner: str, queued: int | None, running: int | None) -> None:
        self.quotas[owner] = Quotas(queued=queued, running=running)
        publish(self.quotas, self.store)

    @invariant()
    def workers_see_those_whose_turn_it_is(self) -> None:
        records = self.store.many(self.jobs)
        wanted: dict[str, dict[str, float]] = {}
        for owner, worker_class in itertools.product(OWNERS, CLASSES):
            lined = {
                record.id: self.turn(record)
                for record in records
                if (record.owner, record.worker_class) == (owner, worker_class) and record.claimable
            }
            order = sorted(lined, key=lambda job: (lined[job], job))
            running = sum(record.owner == owner and record.state is State.RUNNING for record in records)
            limit = self.quotas.get(owner or "", NOBODY).running
            room = len(order) if limit is None else max(0, limit - running)
            wanted.setdefault(f"cj:ready{suffix(worker_class)}", {}).update(
                (job, lined[job]) for job in order[:room]
            )
            wanted[held_key(owner, worker_class)] = {job: lined[job] for job in order[room:]}
        assert {key: self.scores(key) for key in wanted} == wanted
        ready = {name: set(jobs) for name, jobs in wanted.items() if name.startswith("cj:ready")}
        assert set(self.scores("cj:order")) == set().union(*ready.values())
        for name, jobs in ready.items():
            assert set(self.scores(name.replace("ready", "waiting"))) == jobs

    def scores(self, key: str) -> dict[str, float]:
        return dict(self.store.client.zrange(key, 0, -1, withscores=True))

    def turn(self, record: Record) -> float:
        turn_at = self.store.client.hget(f"cj:job:{record.id}", "turn_at")
        return float(turn_at or record.created_at) - record.ahead_ms

    @invariant()
    def nothing_is_left_of_jobs_that_ended(self) -> None:
        records = {record.id: record for record in self.store.many(self.jobs)}
        for owner, state in itertools.product(OWNERS[:2], State):
            here = self.store.client.smembers(f"cj:owner:{owner}:{state}")
            live = state not in TERMINAL
            assert here == {
                job
                for job, record in records.items()
                if live and (record.owner, record.state) == (owner, state)
            }


def suffix(worker_class: str | None) -> str:
    return f":{worker_class}" if worker_class else ""


def test_no_order_of_steps_breaks_a_quota(valkey: ValkeyServer) -> None:
    machine = type("OwnersHere", (Owners,), {"url": valkey.url})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def test_running_jobs_of_an_owner(place: Workplace) -> None:
    """Two workers: one job of alice's at a time, bob's meanwhile, and nobody waits for a lease's time."""
    publish({"alice": Quotas(running=1)}, place.store)
    place.start_worker()
    place.start_worker()
    place.wait_until(lambda: len(list_workers(place.store)) == 2)
    alices = [place.submit(owner="alice", steps=20, seconds=0.02).id for _ in range(3)]
    bobs = [place.submit(owner="bob").id for _ in range(2)]
    most = 0

    def done() -> bool:
        nonlocal most
        records = [place.store.get(job) for job in alices + bobs]
        most = max(most, sum(record.owner == "alice" and record.state is State.RUNNING for record in records))
        return all(record.state is State.SUCCEEDED for record in records)

    place.wait_until(done)
    assert most == 1
    # Held jobs keep their places: each of alice's came after the one before had ended.
    ends = [place.store.get(job) for job in alices]
    for before, after in itertools.pairwise(ends):
        assert (before.finished_at or 0) <= (after.started_at or 0)
    # Bob's did not wait for the end of alice's, which were submitted first.
    assert (place.store.get(bobs[0]).started_at or 0) < (ends[1].started_at or 0)
    assert {record.attempt for record in ends} == {1}


def test_a_changed_turn_changes_who_is_held(place: Workplace) -> None:
    publish({"alice": Quotas(running=1)}, place.store)
    first, second, third = (place.submit(owner="alice").id for _ in range(3))
    assert place.store.ready(None) == [first]
    edit(third, {"priority": 9}, place.store, None)
    assert place.store.ready(None) == [third]
    edit(third, {"priority": 0}, place.store, None)
    assert place.store.ready(None) == [first]
    # One that is cancelled while it is held is not let go later.
    place.store.request_cancel(second)
    place.store.request_cancel(first)
    assert place.store.ready(None) == [third]
    place.store.request_cancel(third)
    assert not place.store.client.keys("cj:owner:*")


def test_what_a_quota_has_held_gets_a_token(place: Workplace) -> None:
    publish({"alice": Quotas(running=1)}, place.store)
    first, second = place.submit(owner="alice").id, place.submit(owner="alice").id
    found = why(place.store.get(second), place.store)
    assert found is not None
    assert (found.position, found.reason) == (None, "owner_quota")
    assert "alice" in found.detail
    # Workers took both tokens, and the second found nothing to do.
    tokens = f"rq:queue:{queue_name(None)}"
    claimed = place.store.claim(first, worker="w", lease_seconds=60)
    assert claimed is not None
    place.store.client.delete(tokens)
    reconcile(place.store, place.queue, place.settings)
    assert place.store.client.llen(tokens) == 0
    place.store.transition(claimed, State.FAILED, Reason.DIVERGED)
    reconcile(place.store, place.queue, place.settings)
    assert place.store.client.llen(tokens) == 1
    assert place.store.ready(None) == [second]
    # A quota that is lifted lets go what it held.
    third = place.submit(owner="alice").id
    assert place.store.ready(None) == [second]
    publish({}, place.store)
    assert place.store.ready(None) == [second, third]


def test_quotas_outlive_redis(place: Workplace) -> None:
    quotas = {"alice": Quotas(running=1)}
    publish(quotas, place.store)
    first, second = place.submit(owner="alice").id, place.submit(owner="alice").id
    place.store.request_pause(second)
    place.store.client.flushall()
    publish(quotas, place.store)
    rescan(place.store, place.queue, place.settings)
    assert place.store.ready(None) == [first]
    resume(second, place.store, place.queue)
    assert place.store.ready(None) == [first]


def test_a_full_queue_leaves_nothing_behind(place: Workplace) -> None:
    publish({"alice": Quotas(queued=1)}, place.store)
    first = place.submit(owner="alice").id
    with pytest.raises(TooMany, match="its quota is 1"):
        place.submit(owner="alice")
    assert [entry.name for entry in place.volume.jobs.iterdir()] == [first]
    place.store.request_cancel(first)
    assert place.submit(owner="alice").owner == "alice"
