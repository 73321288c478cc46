"""The course of training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.examples import course as examples
from app.resources.values import Values


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


class Series(BaseModel):
    """One value by epoch, thinned so that its shape stays; the lists are parallel."""

    count: int = Field(description="epochs so far")
    epoch: list[int]
    step: list[int]
    value: list[float] = Field(description="what is not finite is left out")


class Course(BaseModel):
    """The course of a training. Where series are chosen by name, only they are told."""

    epochs: list[EpochPoint]
    minibatches: MinibatchLosses | None
    series: dict[str, Series] | None = Field(default=None, description="those chosen that the job has")


class Metrics(Course):
    """The course of one job's training."""

    model_config = ConfigDict(json_schema_extra={"example": examples.METRICS})

    job: str


class CourseOfJob(Course):
    """The same of one of several."""

    job: str
    name: str
    status: str


class Comparison(BaseModel):
    """The courses of several jobs, in the order in which they were asked for."""

    model_config = ConfigDict(json_schema_extra={"example": examples.COMPARISON})

    jobs: list[CourseOfJob]
