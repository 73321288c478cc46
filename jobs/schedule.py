"""When and where a job may run: its turn, the jobs that it waits for, the workers that will do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from jobs.errors import Fault, NotFound
from jobs.record import PRIORITY_SECONDS
from jobs.states import TERMINAL, State
from jobs.store import Store

Labels = Mapping[str, str]


def record_fields(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of a spec's tags, priority, limits and requirements."""
    limit = (spec.get("limits") or {}).get("max_queue_s")
    return {
        "tags": spec.get("tags") or [],
        "ahead_ms": spec.get("priority", 0) * PRIORITY_SECONDS * 1000,
        "worker_class": worker_class(spec.get("requires") or {}),
        "max_queue_ms": None if limit is None else round(limit * 1000),
    }


def placing(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the store's scripts must know to place a new job: whom it waits for, who may take it."""
    requires = spec.get("requires") or {}
    found: dict[str, Any] = {"after": list(spec.get("after") or [])}
    if requires:
        found |= {"class": worker_class(requires), "requires": _text(requires)}
    return found


def worker_class(requires: Mapping[str, list[str]]) -> str | None:
    """The class of jobs that the same workers can take; None for those that any worker can."""
    return hashlib.sha256(_text(requires).encode()).hexdigest()[:12] if requires else None


def satisfied(requires: Mapping[str, list[str]], labels: Labels) -> bool:
    """Whether a worker with these labels may take a job that requires so much."""
    return all(labels.get(name) in values for name, values in requires.items())


def _text(requires: Mapping[str, list[str]]) -> str:
    return json.dumps({name: sorted(values) for name, values in requires.items()}, sort_keys=True)


def _dependency(posted: str | Mapping[str, Any], pointer: str) -> tuple[str, str, str]:
    """The job, what of it is waited for, and where it was named."""
    if isinstance(posted, str):
        return posted, "success", pointer
    return posted["job"], posted.get("on", "success"), f"{pointer}/job"


def after_faults(posted: Sequence[str | Mapping[str, Any]], store: Store) -> list[Fault]:
    """Jobs of a spec's ``after``, as posted, that are not there, or can no longer end as they should."""
    faults = []
    for position, entry in enumerate(posted):
        job, until, pointer = _dependency(entry, f"/after/{position}")
        try:
            state = store.get(job).state
        except NotFound:
            faults.append(Fault(pointer, "unknown_job", f"there is no job {job!r}"))
            continue
        if until == "success" and state in TERMINAL - {State.SUCCEEDED}:
            detail = f"{job} is {state} and will not succeed; wait for its end with 'on': 'end'"
            faults.append(Fault(pointer, "dependency_failed", detail))
    return faults
