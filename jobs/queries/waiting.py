"""Why a queued job waits, and how many come before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from jobs.connection import reaching_redis
from jobs.errors import NotFound
from jobs.record import Record, rfc3339
from jobs.schedule import satisfied
from jobs.scripts import pairs
from jobs.states import State
from jobs.store import Store
from jobs.workers import WorkerEntry


@dataclass(frozen=True)
class Wait:
    """``position`` counts from 1 among all jobs that a worker may take now; None where it is not one."""

    position: int | None
    reason: str
    detail: str


class Glance(NamedTuple):
    """A job at one moment: its record, why it waits where it does, Unix milliseconds by Redis' clock."""

    record: Record
    wait: Wait | None
    now_ms: int


def why(record: Record, store: Store) -> Wait | None:
    """Why the job waits; None where it does not."""
    if record.state is not State.QUEUED:
        return None
    with reaching_redis():
        [found] = glances([record.id], store.run("glance", {"ids": [record.id]}))
    return found.wait if isinstance(found, Glance) else None


def glances(ids: Sequence[str], answer: Sequence[Any]) -> list[Glance | NotFound]:
    """What glance.lua has answered about these jobs."""
    now, texts, found = answer
    workers = [_worker(text) for text in texts]
    return [_glance(job_id, int(now), workers, *entry) for job_id, entry in zip(ids, found, strict=True)]


# An entry is renewed as it is, by a worker that may be looked at thousands of times.
@lru_cache(maxsize=512)
def _worker(text: str) -> WorkerEntry:
    return WorkerEntry.model_validate_json(text)


def _glance(
    job_id: str, now: int, workers: Sequence[WorkerEntry], flat: Sequence[str], *wait: Any
) -> Glance | NotFound:
    if not flat:
        return NotFound(f"there is no job {job_id!r}")
    record = Record.from_hash(pairs(flat))
    return Glance(record, _wait(record, workers, *wait) if wait else None, now)


def _wait(
    record: Record,
    workers: Sequence[WorkerEntry],
    rank: int | None,
    needs: Sequence[str],
    requires: str | None,
    held: int,
) -> Wait:
    if needs:
        have = "has" if len(needs) == 1 else "have"
        return Wait(None, "dependencies", f"{', '.join(sorted(needs))} {have} not ended yet")
    if record.not_before is not None:
        return Wait(None, "next_attempt", f"its next attempt begins at {rfc3339(record.not_before)}")
    if held:
        return Wait(None, "owner_quota", f"{record.owner} has as many jobs running as its quota allows")
    position = None if rank is None else rank + 1
    if not workers:
        return Wait(position, "no_worker", "no worker was heard of lately")
    wanted = json.loads(requires) if record.worker_class and requires else {}
    fit = [worker for worker in workers if satisfied(wanted, worker.labels)]
    if not fit:
        return Wait(position, "no_worker_fits", f"no worker has the labels {json.dumps(wanted)}")
    count = "1 worker" if len(fit) == 1 else f"{len(fit)} workers"
    return Wait(position, "workers_busy", f"{count} could take it, and other jobs come first")
