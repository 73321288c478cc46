"""One job, a page of them, and what a spec would become."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.examples import jobs as examples
from app.resources.values import Values


class Progress(BaseModel):
    """How far training is. Null before the first minibatch of an attempt has been reported."""

    epoch: int | None = None
    epochs: int | None = Field(default=None, description="the budget")
    minibatch: int | None = Field(default=None, description="within the epoch")
    step: int | None = Field(default=None, description="minibatches since the job began")
    samples: int | None = None
    samples_per_second: float | None = None
    eta_s: float | None = None
    features: dict[str, int] | None = Field(
        default=None, description="before training: rows whose features are computed, of how many"
    )


class Timings(BaseModel):
    """Seconds in each phase, over all attempts; the present phase counts up to now."""

    queued_s: float
    starting_s: float
    training_s: float


class ResumedFrom(BaseModel):
    """The checkpoint that the job started from."""

    job: str
    checkpoint: str
    mode: str = Field(
        description="exact, continue or weights, which docs/start-from.md tells apart; or evaluate"
    )
    step: int | None = Field(description="minibatches that the checkpoint had behind it")
    samples: int | None
    epoch: int | None


class ForkedFrom(BaseModel):
    """The job of whose spec this one's was made. Patch and diff are not in lists."""

    class ForkChange(BaseModel):
        """One place where the complete specs differ."""

        model_config = ConfigDict(populate_by_name=True)

        pointer: str
        before: Any = Field(alias="from")
        to: Any

    job: str
    patch: dict[str, Any] | None = Field(
        default=None, description="the JSON merge patch (RFC 7396) that was posted"
    )
    diff: list[ForkChange] | None = None


class WaitingFor(BaseModel):
    """Why a job is queued and not running."""

    reason: str = Field(
        description="workers_busy, no_worker, no_worker_fits, owner_quota, dependencies or next_attempt"
    )
    detail: str


class Job(BaseModel):
    """One job. A job that failed is an ordinary answer: ``reason`` and ``detail`` say why."""

    model_config = ConfigDict(json_schema_extra={"example": examples.JOB})

    id: str
    kind: str = Field(description="training, or evaluation of what another job trained")
    name: str
    tags: list[str]
    priority: int = Field(description="0 to 9; 9 comes first")
    owner: str | None = Field(description="name of the token that it was submitted with")
    status: str = Field(description="queued, running, paused, succeeded, failed or cancelled")
    reason: str = Field(description="why it is in this state; docs/job-states.md lists the words")
    detail: str
    attempt: int = Field(description="number of the present or last attempt; 0 before the first")
    cancel_requested: bool
    pause_requested: bool = Field(description="it runs, and pauses once its trainer has saved and left")
    progress: Progress
    losses: Values
    metrics: Values
    checkpoints: int = Field(description="published checkpoints that retention has kept")
    timings: Timings
    resumed_from: ResumedFrom | None
    sweep: str | None = Field(default=None, description="the sweep that it is a trial of")
    forked_from: ForkedFrom | None
    dataset: str
    recipe: str | None = Field(description="the recipe that it was posted as")
    fingerprint: str = Field(description="digest of all that decides the bits, the budget left out")
    worker: str | None
    result: dict[str, Any] | None = Field(description="what the trainer left at the end")
    created_at: str
    updated_at: str
    started_at: str | None
    first_minibatch_at: str | None
    finished_at: str | None
    queue_position: int | None = Field(
        default=None, description="from 1, among all jobs that a worker may take now; not in lists"
    )
    waiting_for: WaitingFor | None = Field(
        default=None, description="why it is queued and not running; not in lists"
    )
    not_before: str | None = Field(description="queued, but its next attempt waits until then")
    spec: dict[str, Any] | None = Field(
        default=None, description="the normalised spec, every default filled in; not in lists"
    )


class JobPage(BaseModel):
    """Jobs, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [examples.JOB_IN_LIST], "next_page_token": examples.JOB_ID}}
    )

    items: list[Job]
    next_page_token: str | None


class Cancelled(BaseModel):
    """What a filter found, and which of it was cancelled (or, with ``preview``, would be)."""

    model_config = ConfigDict(json_schema_extra={"example": examples.CANCELLED})

    matched: int = Field(description="jobs that have not ended and match")
    jobs: list[str] = Field(description="their ids, newest first; those that were asked to end")
    preview: bool
    more: bool = Field(description="more match than one request cancels: ask again")


class Validation(BaseModel):
    """What a spec would become; nothing has been created."""

    model_config = ConfigDict(json_schema_extra={"example": examples.VALIDATION})

    valid: bool
    spec: dict[str, Any]
    fingerprint: str
    cntk_call: str = Field(description="the learner as CNTK's own call, which the trainer makes")
    estimate: dict[str, Any] = Field(
        description="parameters, memory_bytes, checkpoint_bytes, and shape and parameters of each layer"
    )
