"""Which workers are there: each keeps one expiring entry, for GET /v1/workers."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from jobs.connection import reaching_redis
from jobs.states import State
from jobs.store import Store

ENTRY_SECONDS = 15
"""A worker that has not been heard of for this long is gone."""


_MOST_RUNNING = 10_000


class Machine(BaseModel):
    """What workers run on, each perhaps in a container of its own."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Another after each start of the machine."""
    cores: int


class WorkerEntry(BaseModel):
    """One worker process as it describes itself."""

    model_config = ConfigDict(frozen=True)

    name: str
    host: str
    pid: int
    labels: dict[str, str]
    trainer: dict[str, Any]
    """trainer.json: interpreter, CNTK, MPI, CPU and GPU, and what the self-test found."""
    summary: str
    """The same in one line for people."""
    started_at: str
    threads: int = 1
    """CPU threads that a job of its may have where neither spec nor service names a number: the cores that it
    may use, shared among the workers of its service."""
    machine: Machine | None = None


def register(store: Store, entry: WorkerEntry) -> None:
    """Enter or renew a worker's entry."""
    with reaching_redis(), store.client.pipeline() as pipe:
        pipe.set(f"cj:worker:{entry.name}", entry.model_dump_json(), ex=ENTRY_SECONDS)
        pipe.zadd("cj:workers", {entry.name: store.now_ms() + ENTRY_SECONDS * 1000})
        pipe.execute()


def unregister(store: Store, name: str) -> None:
    with reaching_redis(), store.client.pipeline() as pipe:
        pipe.delete(f"cj:worker:{name}")
        pipe.zrem("cj:workers", name)
        pipe.execute()


def jobs_by_worker(store: Store) -> dict[str, str]:
    """The job that each worker runs now, as the records have it."""
    running = store.page(status=State.RUNNING, limit=_MOST_RUNNING).records
    return {record.worker: record.id for record in running if record.worker}


def list_workers(store: Store) -> list[WorkerEntry]:
    """The workers that have been heard of lately, by name."""
    with reaching_redis():
        store.client.zremrangebyscore("cj:workers", "-inf", store.now_ms())
        names = sorted(cast(list[str], store.client.zrange("cj:workers", 0, -1)))
        if not names:
            return []
        found = store.client.mget([f"cj:worker:{name}" for name in names])
    return [WorkerEntry.model_validate_json(text) for text in found if text]
