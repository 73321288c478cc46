"""How many bytes of the volume are whose: data sets, base models and jobs with all that they have left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import cast

from jobs.base_models.records import ModelStatus, load_record
from jobs.connection import reaching_redis
from jobs.dataset import load_schema
from jobs.errors import NotFound
from jobs.states import TERMINAL, State
from jobs.store import Store
from trainer.layout import Volume

_MEASURED = "cj:bytes"
"""Bytes of jobs that have ended; a script forgets those of a job that goes on."""


class Usage:
    """Measures, and remembers what does not change any more."""

    def __init__(self, store: Store, volume: Volume) -> None:
        self._store, self._volume = store, volume
        self._fixed: dict[str, tuple[str | None, int]] = {}
        """Owner and bytes of data sets and of models that are imported."""

    def jobs_of(self, owner: str) -> tuple[int, int]:
        """How many of the owner's jobs wait or are paused, and how many run. Unavailable."""
        with reaching_redis(), self._store.client.pipeline(transaction=False) as pipe:
            for state in (State.QUEUED, State.PAUSED, State.RUNNING):
                pipe.scard(f"cj:owner:{owner}:{state.value}")
            queued, paused, running = pipe.execute()
        return queued + paused, running

    def bytes_of(self, owner: str) -> int:
        """Everything that is the owner's, now. Unavailable while Redis is away."""
        things = chain(_each(self._volume.datasets, self._dataset), _each(self._volume.models, self._model))
        return sum(size for whose, size in things if whose == owner) + self._jobs(owner)

    def _jobs(self, owner: str) -> int:
        with reaching_redis(), self._store.client.pipeline(transaction=False) as pipe:
            pipe.zrange(f"cj:by:owner:{owner}", 0, -1)
            for state in State:
                if state not in TERMINAL:
                    pipe.smembers(f"cj:owner:{owner}:{state.value}")
            found, *unfinished = pipe.execute()
            jobs, live = cast(list[str], found), set().union(*unfinished)
            known = self._store.client.hmget(_MEASURED, jobs) if jobs else []
        total, new = 0, {}
        for job_id, size in zip(jobs, known, strict=True):
            if size is None:
                measured = bytes_below(self._volume.job(job_id).path)
                total += measured
                if job_id not in live:
                    new[job_id] = measured
            else:
                total += int(size)
        if new:
            with reaching_redis():
                self._store.client.hset(_MEASURED, mapping={job: str(size) for job, size in new.items()})
        return total

    def _dataset(self, dataset_id: str) -> tuple[str | None, int]:
        if dataset_id not in self._fixed:
            schema = load_schema(self._volume, dataset_id)
            self._fixed[dataset_id] = schema.owner, bytes_below(self._volume.dataset(dataset_id).path)
        return self._fixed[dataset_id]

    def _model(self, model_id: str) -> tuple[str | None, int]:
        if model_id not in self._fixed:
            record = load_record(self._volume, model_id)
            found = record.owner, bytes_below(self._volume.model(model_id).path)
            if record.status is ModelStatus.IMPORTING:
                return found
            self._fixed[model_id] = found
        return self._fixed[model_id]


def _each(folder: Path, measure: Callable[[str], tuple[str | None, int]]) -> Iterator[tuple[str | None, int]]:
    """Owner and bytes of everything in a folder that is whole."""
    for path in folder.iterdir() if folder.is_dir() else ():
        with suppress(NotFound):
            yield measure(path.name)


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; one that has several names counts as its part of them.

    A job's first checkpoint and its base models are other names of what lies elsewhere.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                found = Path(place, name).lstat()
                total += found.st_size // found.st_nlink
    return total
