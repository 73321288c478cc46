"""What the API answers with: one model a resource, each with an example."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app import examples
from jobs.dataset import DatasetSchema
from jobs.models import ModelRecord
from jobs.workers import WorkerEntry

Values = dict[str, dict[str, float | None]]
"""{split: {name: value}}; a value that is not finite is null."""


class Problem(BaseModel):
    """An error, as RFC 9457 has it. Each fault of the input is in ``errors``."""

    class Fault(BaseModel):
        """One thing wrong, and where: a JSON pointer into the body, the query or a file."""

        pointer: str
        code: str
        detail: str

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": examples.PROBLEM})

    type: str
    title: str
    status: int
    detail: str
    errors: list[Fault]


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


class WaitingFor(BaseModel):
    """Why a job is queued and not running."""

    reason: str = Field(description="workers_busy, no_worker, no_worker_fits, dependencies or next_attempt")
    detail: str


class Job(BaseModel):
    """One job. A job that failed is an ordinary answer: ``reason`` and ``detail`` say why."""

    model_config = ConfigDict(json_schema_extra={"example": examples.JOB})

    id: str
    kind: str = Field(description="training, or evaluation of what another job trained")
    name: str
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
    dataset: str
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


class Descent(BaseModel):
    """One job of a lineage, and what it started from: a checkpoint of the next job in the list."""

    class Change(BaseModel):
        """One place where the specs differ; ``there`` is the next job's."""

        pointer: str
        here: Any
        there: Any

    job: str
    found: Literal["record", "volume", "nothing"] = Field(
        description="volume: its record is gone, its run directory tells; nothing: only its id is known"
    )
    name: str | None
    status: str | None = Field(description="null where nothing tells how the job ended")
    checkpoint: str | None = Field(description="null, like step, samples and mode, where it began afresh")
    step: int | None
    samples: int | None
    mode: str | None
    changed: list[Change] | None = Field(
        description="differences from the next job's spec, budget and learning rate included; "
        "null where there is none or it is gone"
    )


class Lineage(BaseModel):
    """A job, the job that it started from, and so on back to the first."""

    model_config = ConfigDict(json_schema_extra={"example": examples.LINEAGE})

    items: list[Descent]


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


class EventPage(BaseModel):
    """Events of one job, oldest first. ``seq`` is without gaps from 1 on."""

    model_config = ConfigDict(json_schema_extra={"example": examples.EVENT_PAGE})

    items: list[dict[str, Any]]
    next_page_token: str | None = Field(
        description="null where no further event has happened yet; ask with ?after= then"
    )


class EpochPoint(BaseModel):
    """One finished epoch."""

    epoch: int
    step: int
    samples: int
    learning_rate: float | None
    losses: Values
    metrics: Values
    seconds: float


class MinibatchLosses(BaseModel):
    """Training loss by minibatch, in buckets of consecutive steps; the lists are parallel."""

    steps: int = Field(description="minibatches trained so far")
    step: list[int] = Field(description="last step of each bucket; steps count from 1")
    last: list[float | None] = Field(description="loss of that step; null where it is not finite")
    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]


class Metrics(BaseModel):
    """The course of training."""

    model_config = ConfigDict(json_schema_extra={"example": examples.METRICS})

    job: str
    epochs: list[EpochPoint]
    minibatches: MinibatchLosses


class Attempt(BaseModel):
    """One run of a trainer process."""

    model_config = ConfigDict(json_schema_extra={"example": examples.ATTEMPT})

    attempt: int
    started_at: str
    ended_at: str | None = None
    outcome: str | None = Field(
        default=None, description="null while it runs; queued or paused where another attempt follows"
    )
    reason: str | None = None
    detail: str | None = None
    stdout_bytes: int
    stderr_bytes: int


class AttemptList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.ATTEMPT]}})

    items: list[Attempt]


class Log(BaseModel):
    """The end of what an attempt's processes wrote."""

    model_config = ConfigDict(json_schema_extra={"example": examples.LOG})

    attempt: int
    stream: str
    lines: list[str]
    truncated: bool = Field(description="whether there are lines before these")


class File(BaseModel):
    """A file that can be downloaded at ``href``."""

    path: str
    size: int
    href: str
    sha256: str | None = None


class FileList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.FILE]}})

    items: list[File]


class Checkpoint(BaseModel):
    """One published checkpoint; ``id`` is what ``start_from.checkpoint`` may name."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": examples.CHECKPOINT})

    id: str
    job: str
    samples: int
    step: int
    epoch: int
    losses: Values
    metrics: Values
    size: int
    sha256: str
    created_at: str
    pinned: bool
    best: bool
    files: list[File]


class CheckpointList(BaseModel):
    """Checkpoints of one job, oldest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.CHECKPOINT]}})

    items: list[Checkpoint]


class DatasetPage(BaseModel):
    """Data sets, newest first."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [examples.DATASET], "next_page_token": None}}
    )

    items: list[DatasetSchema]
    next_page_token: str | None


class ModelPage(BaseModel):
    """Base models, newest first, without their nodes."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"items": [{**examples.MODEL, "nodes": []}], "next_page_token": None}}
    )

    items: list[ModelRecord]
    next_page_token: str | None


class Worker(WorkerEntry):
    """A worker that was heard of lately, and the trainer it found on its machine."""

    model_config = ConfigDict(json_schema_extra={"example": examples.WORKER})

    job: str | None = Field(default=None, description="the job that it runs now")


class WorkerList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.WORKER]}})

    items: list[Worker]


class RescanReport(BaseModel):
    """What a rescan found on the volume, in numbers of jobs."""

    model_config = ConfigDict(json_schema_extra={"example": examples.RESCAN})

    known: int = Field(description="they have a record, and were left alone")
    restored: int = Field(description="their records were made anew")
    queued: int = Field(description="of those, the ones that had not come to their end: they go on")
    interrupted: int = Field(description="run directories of submissions that were never answered")
    unreadable: list[str] = Field(description="jobs of which no record can be made; the API's log says why")


class Check(BaseModel):
    """One thing that the service needs."""

    name: str
    ok: bool
    detail: str


class Readiness(BaseModel):
    """Whether jobs can be taken. Without a worker they can: they wait."""

    model_config = ConfigDict(json_schema_extra={"example": examples.READINESS})

    ready: bool
    checks: list[Check]
