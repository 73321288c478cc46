"""Whose turn it is: priorities with ageing, jobs after jobs, workers with labels. Real workers throughout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.queries.waiting import why
from jobs.queue import queue_name
from jobs.record import PRIORITY_SECONDS, Record
from jobs.recovery.reconcile import reconcile
from jobs.recovery.rescan import rescan
from jobs.retry import retry
from jobs.schedule import after_faults, satisfied, worker_class
from jobs.states import Reason, State
from jobs.steer import pause, resume
from jobs.workers import jobs_by_worker, list_workers
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, kill


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def submitted(place: Workplace, practice: dict[str, Any] | None = None, **spec: Any) -> str:
    return place.submit(spec=spec, **(practice or {})).id


def passes(place: Workplace) -> None:
    reconcile(place.store, place.queue, place.settings)


def started(place: Workplace, jobs: list[str]) -> list[str]:
    for job_id in jobs:
        place.wait_for(job_id, State.SUCCEEDED)
    return sorted(jobs, key=lambda job_id: place.store.get(job_id).started_at or 0)


def position(place: Workplace, job_id: str) -> int | None:
    found = why(place.store.get(job_id), place.store)
    return found.position if found else None


def reason(place: Workplace, job_id: str) -> str | None:
    found = why(place.store.get(job_id), place.store)
    return found.reason if found else None


def test_the_higher_priority_comes_first(place: Workplace) -> None:
    jobs = {number: submitted(place, priority=number) for number in (5, 0, 9, 4)}
    same = submitted(place, priority=5)
    order = [jobs[9], jobs[5], same, jobs[4], jobs[0]]
    assert [position(place, job_id) for job_id in order] == [1, 2, 3, 4, 5]
    place.start_worker()
    assert started(place, order) == order
    # No token was lost on the way, and none was added.
    assert place.store.client.llen(f"rq:queue:{queue_name(None)}") == 0


def test_waiting_makes_up_for_a_low_priority(place: Workplace) -> None:
    old = submitted(place, priority=0)
    new = submitted(place, priority=9)
    assert [position(place, old), position(place, new)] == [2, 1]
    # As if it had been submitted so much earlier.
    record = place.store.get(old)
    waited = 9 * PRIORITY_SECONDS * 1000 + 1000
    place.store.client.hset(f"cj:job:{old}", "created_at", record.created_at - waited)
    pause(old, place.store)
    resume(old, place.store, place.queue)
    assert position(place, old) == 2  # a pause takes it to the end of the line
    place.store.client.hset(f"cj:job:{old}", "turn_at", record.created_at - waited)
    claimed = place.store.claim(old, worker="w", lease_seconds=60)
    assert claimed is not None
    place.store.transition(claimed, State.QUEUED, Reason.WORKER_STOPPED)
    assert [position(place, old), position(place, new)] == [1, 2]


def test_an_interrupted_job_keeps_its_place(place: Workplace) -> None:
    first, second = submitted(place), submitted(place)
    claimed = place.store.claim(first, worker="w", lease_seconds=60)
    assert claimed is not None
    place.store.transition(claimed, State.QUEUED, Reason.CRASHED)
    assert [position(place, first), position(place, second)] == [1, 2]


def test_taking_another_s_token_leaves_it_one(place: Workplace) -> None:
    """The token of the low one is spent on the high one, whose token is then the low one's."""
    low = submitted(place, priority=0)
    place.wait_until(lambda: bool(place.store.waiting_since_before(place.store.now_ms() - 5)))
    high = submitted(place, priority=9)
    token_of_high = dict(place.store.waiting_since_before(10**15))[high]
    place.store.client.lpop(f"rq:queue:{queue_name(None)}")
    assert place.store.claim(high, worker="w", lease_seconds=60, token=low) is not None
    assert place.store.waiting_since_before(10**15) == [(low, token_of_high)]


def test_after_another_job(place: Workplace) -> None:
    first = submitted(place, {"steps": 20, "seconds": 0.02})
    second = submitted(place, after=[{"job": first, "on": "success"}])
    third = submitted(place, after=[{"job": second, "on": "end"}, {"job": first, "on": "success"}])
    assert place.store.ready(None) == [first]
    assert (reason(place, second), position(place, second)) == ("dependencies", None)
    assert place.store.claim(second, worker="w", lease_seconds=60) is None
    place.start_worker()
    place.start_worker()
    assert started(place, [third, second, first]) == [first, second, third]
    ends = {job_id: place.store.get(job_id) for job_id in (first, second, third)}
    for before, after in ((first, second), (second, third)):
        assert (ends[before].finished_at or 0) <= (ends[after].started_at or 0)
    assert not place.store.client.keys("cj:needs:*")
    assert not place.store.client.keys("cj:after:*")
    passes(place)
    assert not place.store.client.exists("cj:settled")


def test_after_a_job_that_does_not_succeed(place: Workplace) -> None:
    first = submitted(place)
    strict = submitted(place, after=[{"job": first, "on": "success"}])
    last = submitted(place, after=[{"job": strict, "on": "success"}])
    lenient = submitted(place, after=[{"job": first, "on": "end"}])
    held = submitted(place, after=[{"job": first, "on": "success"}])
    pause(held, place.store)
    place.store.request_cancel(first)
    for _ in range(3):
        passes(place)
    for job_id, cause in ((strict, first), (held, first), (last, strict)):
        record = place.store.get(job_id)
        assert (record.state, record.reason) == (State.FAILED, Reason.DEPENDENCY_FAILED)
        assert f"after {cause} had succeeded" in record.detail
    assert place.store.ready(None) == [lenient]
    assert place.store.client.llen(f"rq:queue:{queue_name(None)}") >= 1


def test_retrying_what_depends(place: Workplace) -> None:
    first = submitted(place, {"steps": 4})
    second = submitted(place, after=[{"job": first, "on": "success"}])
    claimed = place.store.claim(first, worker="w", lease_seconds=60)
    assert claimed is not None
    place.store.transition(claimed, State.FAILED, Reason.DIVERGED)
    passes(place)
    assert place.store.get(second).state is State.FAILED
    # The cause first: then the other has something to wait for again.
    retry(first, {}, place.store, place.queue, place.settings)
    retry(second, {}, place.store, place.queue, place.settings)
    passes(place)
    assert reason(place, second) == "dependencies"
    place.start_worker()
    assert started(place, [second, first]) == [first, second]


def test_a_dependency_that_cannot_be(place: Workplace) -> None:
    ended = submitted(place)
    place.store.request_cancel(ended)
    after = [{"job": ended, "on": "success"}, {"job": ended, "on": "end"}, {"job": "job_x", "on": "end"}]
    assert [(fault.pointer, fault.code) for fault in after_faults(after, place.store)] == [
        ("/after/0/job", "dependency_failed"),
        ("/after/2/job", "unknown_job"),
    ]
    # One that ended between the look and the submission is found out at once.
    late = submitted(place, after=[{"job": ended, "on": "success"}])
    passes(place)
    assert place.store.get(late).reason is Reason.DEPENDENCY_FAILED


def test_dependencies_outlive_redis(place: Workplace, valkey: ValkeyServer) -> None:
    first = submitted(place)
    second = submitted(place, after=[{"job": first, "on": "success"}], priority=9)
    with valkey.client() as client:
        client.flushall()
    passes(place)
    rescan(place.store, place.queue, place.settings)
    passes(place)
    assert place.store.ready(None) == [first]
    place.start_worker()
    assert started(place, [second, first]) == [first, second]


REQUIRES = {"room": ["cold", "warm"]}


def test_only_a_worker_with_the_labels_will_do(place: Workplace) -> None:
    place.start_worker()
    place.wait_until(lambda: bool(list_workers(place.store)))
    plain = submitted(place)
    choosy = submitted(place, requires=REQUIRES)
    place.wait_for(plain, State.SUCCEEDED)
    assert reason(place, choosy) == "no_worker_fits"
    other = place.start_worker(room="hot")
    fit = place.start_worker(room="cold")
    record = place.wait_for(choosy, State.SUCCEEDED)
    workers = {entry.name: entry for entry in list_workers(place.store)}
    assert record.worker is not None
    assert workers[record.worker].pid == fit.pid != other.pid
    assert workers[record.worker].labels["room"] == "cold"
    # It does for jobs that require nothing, too.
    for worker in (other,):
        kill(worker.pid)
    place.wait_for(submitted(place), State.SUCCEEDED)


def test_a_lost_token_of_a_class_is_replaced(tmp_path: Path, valkey: ValkeyServer) -> None:
    with Workplace(tmp_path, valkey.url, lease_seconds=0.5) as place:
        job_id = submitted(place, requires=REQUIRES)
        queue = f"rq:queue:{queue_name(worker_class(REQUIRES))}"
        assert place.store.client.lpop(queue) is not None
        place.wait_until(lambda: passes(place) or place.store.client.llen(queue) == 1)
        assert place.store.ready(worker_class(REQUIRES)) == [job_id]
        assert place.store.ready(None) == []
        assert place.store.client.llen(f"rq:queue:{queue_name(None)}") == 0


def test_who_does_what(place: Workplace) -> None:
    place.start_worker(room="cold")
    job_id = submitted(place, {"steps": 10**6, "seconds": 0.02, "checkpoint_every": 10**6})
    waiting = submitted(place)
    place.trainer_at_work(job_id)
    place.wait_until(lambda: bool(list_workers(place.store)))
    [entry] = list_workers(place.store)
    assert jobs_by_worker(place.store) == {entry.name: job_id}
    assert reason(place, waiting) == "workers_busy"
    assert reason(place, job_id) is None


def test_waiting_for_the_next_attempt_and_for_any_worker(place: Workplace) -> None:
    job_id = submitted(place)
    assert reason(place, job_id) == "no_worker"
    claimed: Record | None = place.store.claim(job_id, worker="w", lease_seconds=60)
    assert claimed is not None
    place.store.transition(claimed, State.QUEUED, Reason.CRASHED, delay_s=60)
    assert (reason(place, job_id), position(place, job_id)) == ("next_attempt", None)


@pytest.mark.parametrize(
    ("requires", "enough"),
    [
        ({}, True),
        ({"a": ["1"]}, True),
        ({"a": ["2", "1"], "b": ["x"]}, True),
        ({"a": ["2"]}, False),
        ({"c": ["1"]}, False),
    ],
)
def test_labels(requires: dict[str, list[str]], enough: bool) -> None:
    assert satisfied(requires, {"a": "1", "b": "x"}) is enough
    assert (worker_class(requires) is None) == (not requires)
