"""Why a queued job waits, and how many come before it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from jobs.connection import reaching_redis
from jobs.quotas import held_key
from jobs.record import Record, rfc3339
from jobs.schedule import satisfied
from jobs.states import State
from jobs.store import Store
from jobs.workers import list_workers


@dataclass(frozen=True)
class Wait:
    """``position`` counts from 1 among all jobs that a worker may take now; None where it is not one."""

    position: int | None
    reason: str
    detail: str


def why(record: Record, store: Store) -> Wait | None:
    """Why the job waits; None where it does not."""
    if record.state is not State.QUEUED:
        return None
    with reaching_redis(), store.client.pipeline(transaction=False) as pipe:
        pipe.zrank("cj:order", record.id)
        pipe.hkeys(f"cj:needs:{record.id}")
        pipe.hget("cj:classes", record.worker_class or "")
        pipe.zscore(held_key(record.owner, record.worker_class), record.id)
        rank, needs, requires, held = pipe.execute()
    if needs:
        return Wait(None, "dependencies", f"after {', '.join(sorted(needs))}")
    if record.not_before is not None:
        return Wait(None, "next_attempt", f"its next attempt begins at {rfc3339(record.not_before)}")
    if held is not None:
        return Wait(None, "owner_quota", f"{record.owner} has as many jobs running as its quota allows")
    position = None if rank is None else rank + 1
    workers = list_workers(store)
    if not workers:
        return Wait(position, "no_worker", "no worker was heard of lately")
    wanted = json.loads(requires) if record.worker_class and requires else {}
    fit = [worker for worker in workers if satisfied(wanted, worker.labels)]
    if not fit:
        return Wait(position, "no_worker_fits", f"no worker has the labels {json.dumps(wanted)}")
    return Wait(position, "workers_busy", f"{len(fit)} worker(s) could take it, and others come first")
