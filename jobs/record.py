"""A job's record: what Redis knows of it, and how the API shows it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from jobs.states import TERMINAL, Reason, State


def rfc3339(ms: int | None) -> str | None:
    """Unix milliseconds as ``2026-01-31T09:30:00.250Z``; None stays None."""
    if ms is None:
        return None
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Most of a page of jobs falls into few seconds, and is shown again and again."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


PRIORITY_SECONDS = 600
"""How much longer a job must have waited to come before one whose priority is higher by one."""


class Kind(StrEnum):
    """What a job is for."""

    TRAINING = "training"
    EVALUATION = "evaluation"
    """A trained network is run on a split of a data set; nothing is learned."""


class StartedFrom(BaseModel):
    """The checkpoint that a job started from."""

    model_config = ConfigDict(frozen=True)

    job: str
    checkpoint: str
    """``<job>@<samples>``."""
    mode: str
    # None in a record from before these were kept.
    step: int | None = None
    samples: int | None = None
    epoch: int | None = None


class Record(BaseModel):
    """One job as read from Redis at one moment. Times are Unix milliseconds by Redis' clock.

    Frozen: a change is made by one of the store's guarded scripts, which answers with the
    new record. In the hash every value is a string; lists and objects are JSON.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: Kind = Kind.TRAINING
    name: str
    owner: str | None = None
    """Name of the token that it was submitted with; None where no token was asked for."""
    state: State
    reason: Reason
    detail: str = ""
    attempt: int = 0
    """Number of the present or last attempt; 0 before the first."""
    seq: int = 0
    """Sequence number of the job's newest event."""
    cancel_requested: bool = False
    cancel_saves: bool = False
    """The trainer may save a checkpoint before it leaves."""
    pause_requested: bool = False
    """It runs, and will pause once its trainer has saved and left."""
    dataset: str
    fingerprint: str
    worker: str | None = None
    """Name of the worker that holds or held the present attempt."""
    resumed_from: StartedFrom | None = None
    tags: list[str] = []
    recipe: str | None = None
    """Name of the recipe that it was posted as."""
    sweep: str | None = None
    """The sweep that it is a trial of."""
    forked_from: str | None = None
    """The job of whose spec its own was made."""
    edits: int = 0
    """How often its name, tags or priority were changed."""
    progress: dict[str, Any] = {}
    losses: dict[str, dict[str, float | None]] = {}
    metrics: dict[str, dict[str, float | None]] = {}
    checkpoints: int = 0
    """Published checkpoints that retention has kept."""
    result: dict[str, Any] | None = None
    crashes: int = 0
    """Crashed attempts in a row that published no new checkpoint."""
    losses_in_a_row: int = 0
    """The same of attempts that lost their worker or their volume."""
    ahead_ms: int = 0
    """Its priority, as a time that it is ahead of jobs without one."""
    traceparent: str | None = None
    """The span of the request that submitted it, as W3C Trace Context writes it, where there are traces."""
    worker_class: str | None = None
    """Digest of the labels that it requires of a worker; None where any will do."""
    max_queue_ms: int | None = None
    """How long it may wait for a worker."""
    forgiven_ms: int = 0
    """What it had run when it was last retried: its limit counts from there."""
    not_before: int | None = None
    """Queued, but not to be claimed before then."""
    crash_samples: int = 0
    """Newest checkpoint at the last crash: a later crash beyond it starts the count afresh."""
    facts_attempt: int = 0
    facts_offset: int = 0
    """Up to which byte of which attempt's facts the events have been relayed."""
    created_at: int = 0
    updated_at: int = 0
    phase_at: int = 0
    """When the present phase (queued, starting, training) began."""
    started_at: int | None = None
    first_minibatch_at: int | None = None
    finished_at: int | None = None
    queued_ms: int = 0
    starting_ms: int = 0
    training_ms: int = 0

    @classmethod
    def from_hash(cls, fields: Mapping[str, str]) -> Record:
        """The record of a Redis hash."""
        values: dict[str, Any] = dict(fields)
        for name in _JSON_FIELDS & values.keys():
            values[name] = orjson.loads(values[name])
        return cls.model_validate(values)

    def to_hash(self) -> dict[str, str]:
        """The fields of the Redis hash; a field that is absent has its default."""
        values = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return hash_fields(values)

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    @property
    def priority(self) -> int:
        return self.ahead_ms // (PRIORITY_SECONDS * 1000)

    @property
    def claimable(self) -> bool:
        """Whether a worker may take it now: it needs a token."""
        return self.state is State.QUEUED and self.not_before is None

    def as_submitted(self) -> Record:
        """The record as its submission was answered: queued, before anything happened to it."""
        return Record(
            **self.model_dump(include=_SUBMITTED),
            state=State.QUEUED,
            reason=Reason.SUBMITTED,
            seq=1,
            created_at=self.created_at,
            updated_at=self.created_at,
            phase_at=self.created_at,
        )

    def timings(self, now_ms: int) -> dict[str, float]:
        """Seconds spent queued, starting and training, over all attempts, up to ``now_ms``."""
        spent = {"queued": self.queued_ms, "starting": self.starting_ms, "training": self.training_ms}
        phase = {State.QUEUED: "queued", State.RUNNING: self.reason.value}.get(self.state)
        if phase is not None:
            spent[phase] += max(0, now_ms - self.phase_at)
        return {f"{name}_s": ms / 1000 for name, ms in spent.items()}

    def public(self, now_ms: int) -> dict[str, Any]:
        """The job as the API shows it, without its spec."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "name": self.name,
            "tags": self.tags,
            "priority": self.priority,
            "owner": self.owner,
            "status": self.state.value,
            "reason": self.reason.value,
            "detail": self.detail,
            "attempt": self.attempt,
            "cancel_requested": self.cancel_requested,
            "pause_requested": self.pause_requested,
            "progress": self.progress,
            "losses": self.losses,
            "metrics": self.metrics,
            "checkpoints": self.checkpoints,
            "timings": self.timings(now_ms),
            "resumed_from": self.resumed_from.model_dump() if self.resumed_from else None,
            "sweep": self.sweep,
            "forked_from": {"job": self.forked_from} if self.forked_from else None,
            "dataset": self.dataset,
            "recipe": self.recipe,
            "fingerprint": self.fingerprint,
            "worker": self.worker,
            "result": self.result,
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
            "started_at": rfc3339(self.started_at),
            "first_minibatch_at": rfc3339(self.first_minibatch_at),
            "finished_at": rfc3339(self.finished_at),
            "not_before": rfc3339(self.not_before),
        }


_SUBMITTED = {
    "id",
    "kind",
    "name",
    "owner",
    "dataset",
    "fingerprint",
    "resumed_from",
    "recipe",
    "forked_from",
    "sweep",
}
_JSON_FIELDS = {"resumed_from", "tags", "progress", "losses", "metrics", "result"}


def hash_fields(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as a Redis hash holds them: JSON for lists and objects, text for the rest."""
    encoded = {}
    for name, value in values.items():
        if name in _JSON_FIELDS:
            encoded[name] = json.dumps(value, allow_nan=False, separators=(",", ":"))
        elif isinstance(value, bool):
            encoded[name] = "1" if value else "0"
        else:
            encoded[name] = str(value)
    return encoded
