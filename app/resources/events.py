"""What happened to a job: one model a type of event, told apart by ``type``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.examples import course as examples
from app.resources.jobs import Progress
from app.resources.values import Values


class _Event(BaseModel):
    """``seq`` counts from 1 without gaps within a job; ``attempt`` is 0 before the first."""

    model_config = ConfigDict(extra="allow")

    seq: int
    time: str = Field(description="RFC 3339")
    attempt: int


class StateChanged(_Event):
    """The job is in another state from then on."""

    type: Literal["queued", "running", "paused", "succeeded", "failed", "cancelled"]
    reason: str = Field(description="a word of docs/job-states.md")
    detail: str = ""


class Asked(_Event):
    """Somebody asked a running job to end, to pause, or not to pause after all."""

    type: Literal["cancel_requested", "pause_requested", "resume_requested"]


class Edited(_Event):
    """Somebody changed what stands here; null where that stayed."""

    type: Literal["edited"]
    name: str | None = None
    tags: list[str] | None = None
    priority: int | None = None


class Started(_Event):
    """The trainer's process runs."""

    type: Literal["started"]
    pid: int
    runtime: dict[str, Any] = Field(description="what the bits depend on: versions, processor, threads")


class Restored(_Event):
    """It goes on from a checkpoint."""

    type: Literal["restored"]
    step: int
    samples: int
    epoch: int
    source: Literal["checkpoint", "start"] = Field(
        alias="from", description="one of its own, or the one that the job started from"
    )
    job: str
    checkpoint: int = Field(description="samples")
    runtime_changed: dict[str, tuple[Any, Any]] = Field(
        default={},
        description="what the bits depend on and is not as when the checkpoint was written: before, now",
    )


class CheckpointSkipped(_Event):
    """A broken checkpoint was passed over."""

    type: Literal["checkpoint_skipped"]
    samples: int
    detail: str


class FirstMinibatch(_Event):
    type: Literal["first_minibatch"]


class FeaturesComputed(_Event):
    """What no learner moves was computed once, and is cached now."""

    type: Literal["features"]
    nodes: list[str]
    rows: int
    seconds: float


class EpochEnded(_Event):
    type: Literal["epoch"]
    epoch: int
    step: int
    samples: int
    learning_rate: float | None
    losses: Values
    metrics: Values
    seconds: float


class CheckpointPublished(_Event):
    type: Literal["checkpoint"]
    samples: int
    step: int
    epoch: int
    cause: str
    size: int = Field(description="bytes")
    sha256: str
    losses: Values
    metrics: Values
    best: bool


class CheckpointRetired(_Event):
    """Retention deleted a checkpoint."""

    type: Literal["checkpoint_retired"]
    samples: int


class EarlyStopped(_Event):
    type: Literal["early_stopped"]
    epoch: int
    metric: str
    best: float | None
    patience: int


Event = Annotated[
    StateChanged
    | Asked
    | Edited
    | Started
    | Restored
    | CheckpointSkipped
    | FirstMinibatch
    | FeaturesComputed
    | EpochEnded
    | CheckpointPublished
    | CheckpointRetired
    | EarlyStopped,
    Field(discriminator="type"),
]


class Figures(BaseModel):
    """The data of a stream's ``progress`` messages: the newest, which may be told of only once."""

    progress: Progress
    losses: Values
    metrics: Values


class FiguresOfJob(Figures):
    """The same in the stream of all jobs."""

    job: str


class End(BaseModel):
    """The data of the message ``end``, after which a job's stream closes."""

    status: Literal["succeeded", "failed", "cancelled"]
    reason: str
    detail: str


class Missed(BaseModel):
    """The data of the message ``missed``: events between these two places may have been dropped."""

    after: str
    first: str | None = Field(description="the oldest that is kept; null where there is none")


class EventPage(BaseModel):
    """Events of one job, oldest first. ``seq`` is without gaps from 1 on."""

    model_config = ConfigDict(json_schema_extra={"example": examples.EVENT_PAGE})

    items: list[Event]
    next_page_token: str | None = Field(
        description="null where no further event has happened yet; ask with ?after= then"
    )


class OfJob(BaseModel):
    """Whose event it is; the event itself stands beside it."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(description="its place among the events of all jobs")
    job: str
    seq: int
    time: str
    attempt: int
    type: str


class FeedPage(BaseModel):
    """Events of all jobs, oldest first; each has the fields of its type, as in a job's own events."""

    model_config = ConfigDict(json_schema_extra={"example": examples.FEED_PAGE})

    items: list[OfJob]
    next_page_token: str | None = Field(
        description="null where no further event has happened yet; ask with ?after= then"
    )
