"""The course of training."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app import examples
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


class Metrics(BaseModel):
    """The course of training."""

    model_config = ConfigDict(json_schema_extra={"example": examples.METRICS})

    job: str
    epochs: list[EpochPoint]
    minibatches: MinibatchLosses
