"""All jobs at one moment, in figures: what is read costs the same whether there are ten jobs or 100,000."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis.client import Pipeline

from jobs.backlog import IMPORTS, of_class
from jobs.connection import reaching_redis
from jobs.record import Kind
from jobs.states import Reason, State
from jobs.store import Store
from jobs.totals import Totals
from jobs.workers import ENTRY_SECONDS, list_workers


@dataclass(frozen=True)
class Waiting:
    """The jobs of one class that a worker may take."""

    requires: str
    """Labels that they ask of a worker, as ``device=gpu host=a|b``; empty where any worker will do."""
    depth: int
    oldest_s: float
    """How long the first of them has been ready; 0 where none is."""


@dataclass(frozen=True)
class Heard:
    """A worker that is there, and the seconds since it last said so."""

    name: str
    host: str
    age_s: float
    busy: bool


@dataclass(frozen=True)
class Overview:
    """Figures about all jobs, as Redis has them."""

    jobs: dict[tuple[Kind, State], int]
    waiting: list[Waiting]
    delayed: int
    """Queued, but not to be taken before a time that has not come."""
    imports: int
    """Base models that are to be imported."""
    samples_per_second: float
    """Of all jobs that train now, together."""
    leases_expired: int
    """Running jobs whose worker is overdue."""
    workers: list[Heard]
    totals: Totals


def overview(store: Store) -> Overview:
    """The figures of this moment. Raises Unavailable while Redis is away.

    Two trips and one for the workers: what grows is read for jobs that run now alone.
    """
    now = store.now_ms()
    classes = store.worker_classes()
    names = [None, *classes]
    workers = list_workers(store)
    pairs = [(kind, state) for kind in Kind for state in State]
    with reaching_redis(), store.client.pipeline(transaction=False) as pipe:
        for kind, state in pairs:
            pipe.zcard(f"cj:jobs:{kind.value}:{state.value}")
        for name in names:
            pipe.zcard(of_class("cj:ready", name))
            pipe.zrange(of_class("cj:waiting", name), 0, 0, withscores=True)
        pipe.zcard("cj:delayed")
        pipe.zcard(IMPORTS)
        pipe.zcount("cj:leases", "-inf", now)
        pipe.zrange("cj:workers", 0, -1, withscores=True)
        pipe.hgetall("cj:totals")
        pipe.zrange(f"cj:jobs:{State.RUNNING.value}", 0, -1)
        answers = iter(pipe.execute())
        jobs = {pair: int(next(answers)) for pair in pairs}
        waiting = [
            Waiting(_spelled(classes.get(name or "", {})), int(next(answers)), _since(next(answers), now))
            for name in names
        ]
        delayed, imports, expired = (int(next(answers)) for _ in range(3))
        heard_until = dict(cast(list[tuple[str, float]], next(answers)))
        totals = Totals.of(next(answers))
        running = _running(next(answers), pipe)
    busy = {worker for worker, _, _ in running}
    return Overview(
        jobs=jobs,
        waiting=waiting,
        delayed=delayed,
        imports=imports,
        samples_per_second=sum(_speed(reason, progress) for _, reason, progress in running),
        leases_expired=expired,
        workers=[
            Heard(
                worker.name,
                worker.host,
                max(0.0, ENTRY_SECONDS - (heard_until.get(worker.name, now) - now) / 1000),
                worker.name in busy,
            )
            for worker in workers
        ],
        totals=totals,
    )


def _running(ids: list[str], pipe: Pipeline) -> list[tuple[str | None, str | None, str | None]]:
    """Worker, reason and progress of each job."""
    for job_id in ids:
        pipe.hmget(f"cj:job:{job_id}", "worker", "reason", "progress")
    return cast(list[tuple[str | None, str | None, str | None]], pipe.execute())


def _speed(reason: str | None, progress: str | None) -> float:
    """Samples a second of a job, by its trainer's last word on it."""
    if reason != Reason.TRAINING or not progress:
        return 0.0
    found: dict[str, Any] = json.loads(progress)
    return float(found.get("samples_per_second") or 0.0)


def _since(first: list[tuple[str, float]], now: int) -> float:
    return max(0.0, (now - first[0][1]) / 1000) if first else 0.0


def _spelled(requires: Mapping[str, list[str]]) -> str:
    return " ".join(f"{label}={'|'.join(values)}" for label, values in sorted(requires.items()))
