"""Where a job came from: the jobs whose checkpoints it and its ancestors started from."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from jobs.errors import NotFound
from jobs.journal import read_events
from jobs.record import Record
from jobs.recovery.history import fold
from jobs.specs.fingerprint import changes
from jobs.states import State
from jobs.store import Store
from trainer.files import read_json
from trainer.layout import RunDirectory, Volume


class Descent(BaseModel):
    """One job of a lineage, and how it came from the next one, the job that it started from."""

    model_config = ConfigDict(frozen=True)

    job: str
    found: Literal["record", "volume", "nothing"]
    """``volume``: its record is gone, its run directory tells; ``nothing``: only its id is known."""
    name: str | None = None
    status: State | None = None
    """None where nothing tells how the job ended."""
    checkpoint: str | None = None
    """What it started from: ``<job>@<samples>``; None where it began afresh."""
    step: int | None = None
    samples: int | None = None
    mode: str | None = None
    changed: list[dict[str, Any]] | None = None
    """Pointer, here and there of what differs from the next one's spec, the budget included; None
    where there is no next one or its spec is gone."""


def lineage(job_id: str, store: Store, volume: Volume) -> list[Descent]:
    """The job, the one whose checkpoint it started from, and so on to the first."""
    descents: list[Descent] = []
    seen: set[str] = set()
    current = _look(job_id, store, volume)
    while True:
        seen.add(current.job)
        # A job names one that was there before it. Only a volume edited by hand could lead in a circle.
        ends = current.parent is None or current.parent in seen
        parent = None if ends or current.parent is None else _look(current.parent, store, volume)
        descents.append(current.described(parent))
        if parent is None:
            return descents
        current = parent


@dataclass(frozen=True)
class _Known:
    """What record and volume know of one job."""

    job: str
    record: Record | None
    spec: dict[str, Any] | None
    start: dict[str, Any] | None
    """Manifest of the checkpoint that it started from."""
    run: RunDirectory

    @property
    def parent(self) -> str | None:
        if self.spec is not None:
            return str(self.spec["start_from"]["job"]) if self.spec["start_from"] else None
        return self.record.resumed_from.job if self.record and self.record.resumed_from else None

    @property
    def status(self) -> State | None:
        if self.record is not None:
            return self.record.state
        history = fold(read_events(self.run, limit=sys.maxsize))
        return history.state if history.ended else None

    def described(self, parent: _Known | None) -> Descent:
        known: dict[str, Any] = {"job": self.job, "status": self.status}
        if self.spec is not None:
            known |= {"found": "volume", "name": self.spec["name"]}
            if (start := self.spec["start_from"]) is not None:
                known |= {"checkpoint": start["checkpoint"], "mode": start["mode"]}
                known |= {key: (self.start or {}).get(key) for key in ("step", "samples")}
            if parent is not None and parent.spec is not None:
                known["changed"] = changes(self.spec, parent.spec)
        elif self.record is not None:
            known["name"] = self.record.name
            if self.record.resumed_from is not None:
                known |= self.record.resumed_from.model_dump(
                    include={"checkpoint", "step", "samples", "mode"}
                )
        if self.record is not None:
            known["found"] = "record"
        return Descent(**{"found": "nothing", **known})


def _look(job_id: str, store: Store, volume: Volume) -> _Known:
    try:
        record = store.get(job_id)
    except NotFound:
        record = None
    run = volume.job(job_id)
    spec = read_json(run.spec) if run.spec.is_file() else None
    start = read_json(run.start.manifest) if run.start.manifest.is_file() else None
    return _Known(job_id, record, spec, start, run)
