"""Sweeps and their trials."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.examples import sweeps as examples


class Trial(BaseModel):
    """One trial; its job tells everything else."""

    trial: int = Field(description="counted from 0")
    job: str
    status: str = Field(description="that of its job; or pruned; or refused: no job could be made of it")
    detail: str
    parameters: dict[str, Any] = Field(description="by JSON pointer into the spec")
    value: float | None = Field(description="of the goal, as of now")
    epoch: int | None


class TrialPage(BaseModel):
    """Some trials, in the order in which they were begun."""

    model_config = ConfigDict(json_schema_extra={"example": examples.TRIALS})

    items: list[Trial]
    next_page_token: str | None


class TrialCounts(BaseModel):
    """How many trials there are of each kind. ``failed``: also those that were cancelled or refused."""

    going_on: int
    succeeded: int
    pruned: int
    failed: int


class ComparedBy(BaseModel):
    """What trials are compared by: a metric, or a loss where no metric has the name."""

    metric: str
    split: str
    better: str = Field(description="lower or higher")


class Sweep(BaseModel):
    """Trials of one spec that is varied."""

    model_config = ConfigDict(json_schema_extra={"example": examples.SWEEP})

    id: str
    name: str
    owner: str | None
    status: str = Field(description="running, completed, failed (no trial succeeded) or cancelled")
    reason: str = Field(
        description="trials, runtime_limit, patience or cancel_requested; empty while it runs"
    )
    created_at: str
    finished_at: str | None
    trials: TrialCounts
    best: Trial | None
    goal: ComparedBy
    asked: dict[str, Any] = Field(description="what was posted, with every default")


class SweepPage(BaseModel):
    """Some sweeps, newest first."""

    model_config = ConfigDict(json_schema_extra={"example": examples.SWEEPS})

    items: list[Sweep]
    next_page_token: str | None
