"""Tokens are what RQ itself would have queued."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.connection import connect
from jobs.ids import made_at_ms, new_job_id
from jobs.queue import TokenQueue, queue_name, token_for
from jobs.record import Record
from jobs.states import Reason, State
from jobs.store import Store
from tests.new_records import queued

VARYING = {"created_at", "enqueued_at", "data"}


def hash_of(client: Redis, job_id: str) -> dict[str, bytes]:
    return {key.decode(): value for key, value in client.hgetall(Job.key_for(job_id)).items()}


@pytest.fixture
def store(valkey_url: str) -> Iterator[Store]:
    with connect(valkey_url) as client:
        yield Store(client)


@pytest.fixture
def raw(valkey_url: str) -> Iterator[Redis]:
    """A client as RQ's worker has it."""
    with connect(valkey_url, text=False) as client:
        yield client


@pytest.mark.parametrize("worker_class", [None, "abc"])
@pytest.mark.parametrize("scripted", [True, False])
def test_a_token_is_what_rq_would_write(
    store: Store, raw: Redis, worker_class: str | None, scripted: bool
) -> None:
    job_id = new_job_id()
    if scripted:
        queued_by_script(store, job_id, worker_class)
    else:
        TokenQueue(store.client).push(job_id, worker_class)
    queue = Queue(queue_name(worker_class), connection=raw, serializer=JSONSerializer)
    [token] = queue.job_ids
    assert Queue.all(connection=raw) == [queue]
    theirs = queue.enqueue_call(
        "worker.attempt.run_attempt",
        args=(job_id, worker_class),
        timeout=-1,
        result_ttl=0,
        failure_ttl=60,
        description=job_id,
    )
    ours, expected = hash_of(raw, token), hash_of(raw, theirs.id)
    assert ours.keys() == expected.keys()
    assert {key: value for key, value in ours.items() if key not in VARYING} == {
        key: value for key, value in expected.items() if key not in VARYING
    }
    assert json.loads(ours["data"]) == json.loads(zlib.decompress(expected["data"]))


def queued_by_script(store: Store, job_id: str, worker_class: str | None) -> None:
    record = Record(
        id=job_id,
        name="",
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset="ds_1",
        fingerprint="f",
        worker_class=worker_class,
    )
    queued(store, record, token=token_for(job_id, worker_class).document())


def test_rq_reads_a_token(store: Store, raw: Redis) -> None:
    job_id = new_job_id()
    TokenQueue(store.client).push(job_id)
    queue = Queue(queue_name(None), connection=raw, serializer=JSONSerializer)
    found = Queue.dequeue_any([queue], timeout=None, connection=raw, serializer=JSONSerializer)
    assert found is not None
    job, _ = found
    assert (job.func_name, job.args, job.kwargs) == ("worker.attempt.run_attempt", [job_id, None], {})
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (-1, 0, 60)
    assert job.enqueued_at is not None
    assert abs(made_at_ms(job.id) - job.enqueued_at.timestamp() * 1000) < 60_000


def test_a_model_to_import_has_a_token(store: Store, raw: Redis) -> None:
    TokenQueue(store.client).push_import("model_1")
    queue = Queue(queue_name(None), connection=raw, serializer=JSONSerializer)
    [job] = queue.jobs
    assert (job.func_name, job.args) == ("worker.importing.run_import", ["model_1"])
