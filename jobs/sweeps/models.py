"""What is posted to have a sweep: a spec, what is varied in it, how trials are chosen, when to stop."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from jobs.specs.part_models import Strict

MOST_TRIALS = 1000
MOST_COMBINATIONS = 10_000

Seed = Annotated[int, Field(ge=0, lt=2**32)]


class FloatRange(Strict):
    """A number between ``low`` and ``high``, both included."""

    type: Literal["float"]
    low: float
    high: float
    log: bool = Field(default=False, description="drawn evenly on a logarithmic scale")
    step: Annotated[float, Field(gt=0)] | None = Field(default=None, description="only low, low + step, …")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_range(self.low, self.high, log=self.log, stepped=self.step is not None)
        return self

    def values(self) -> list[Any] | None:
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return [self.low + position * self.step for position in range(min(count, MOST_COMBINATIONS + 1))]

    def extremes(self) -> list[Any]:
        return [self.low, self.high]


class IntRange(Strict):
    """A whole number between ``low`` and ``high``, both included."""

    type: Literal["int"]
    low: int
    high: int
    log: bool = Field(default=False, description="drawn evenly on a logarithmic scale")
    step: Annotated[int, Field(ge=1)] = Field(default=1, description="only low, low + step, …")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_range(self.low, self.high, log=self.log, stepped=self.step != 1)
        return self

    def values(self) -> list[Any] | None:
        return list(range(self.low, self.high + 1, self.step)[: MOST_COMBINATIONS + 1])

    def extremes(self) -> list[Any]:
        return [self.low, self.high]


class Choice(Strict):
    """One of some values, each of which may be any JSON."""

    type: Literal["choice"]
    values_: list[JsonValue] = Field(alias="values", min_length=1, max_length=100)

    def values(self) -> list[Any] | None:
        return list(self.values_)

    def extremes(self) -> list[Any]:
        return list(self.values_)


def _check_range(low: float, high: float, *, log: bool, stepped: bool) -> None:
    if low > high:
        raise ValueError(f"low is {low:g}, more than high, {high:g}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range begins above 0; low is {low:g}")
    if log and stepped:
        raise ValueError("a logarithmic range has no step")


Dimension = Annotated[FloatRange | IntRange | Choice, Field(discriminator="type")]


class Grid(Strict):
    """Every combination once, the last dimension varied fastest."""

    type: Literal["grid"]


class Random(Strict):
    """Each trial drawn by itself."""

    type: Literal["random"]
    seed: Seed = 0


class Tpe(Strict):
    """Optuna's tree-structured Parzen estimator: where trials did well, more are tried."""

    type: Literal["tpe"]
    seed: Seed = 0
    startup_trials: Annotated[int, Field(ge=1)] = Field(default=10, description="drawn at random at first")


class Median(Strict):
    """Optuna's median pruner: a trial ends that is worse than the median of the others at its epoch."""

    type: Literal["median"]
    startup_trials: Annotated[int, Field(ge=1)] = Field(
        default=5, description="none is pruned before so many have come to their end"
    )
    warmup_epochs: Annotated[int, Field(ge=0)] = Field(default=0, description="of a trial, without pruning")


class Hyperband(Strict):
    """Optuna's Hyperband: at growing numbers of epochs only the best share of the trials goes on."""

    type: Literal["hyperband"]
    min_epochs: Annotated[int, Field(ge=1)] = 1
    reduction_factor: Annotated[int, Field(ge=2)] = 3


class Goal(Strict):
    """What trials are compared by: a metric, or a loss where no metric has the name."""

    metric: str
    split: str = "valid"
    better: Literal["lower", "higher"] = "lower"


class SweepSpec(Strict):
    """A sweep, as posted to /v1/sweeps."""

    name: Annotated[str, Field(max_length=200)] = ""
    spec: dict[str, Any] = Field(description="a job's spec, as for POST /v1/jobs")
    space: dict[str, Dimension] = Field(
        min_length=1, max_length=32, description="what is varied: JSON pointers into the spec"
    )
    # A default that is an object would be more than generators of clients can read.
    sampler: Annotated[Grid | Random | Tpe, Field(discriminator="type")] = Field(
        default_factory=lambda: Tpe(type="tpe"), description="default: tpe"
    )
    pruner: Annotated[Median | Hyperband, Field(discriminator="type")] | None = None
    goal: Goal | None = Field(default=None, description="default: what the spec's `watch` says")
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] | None = Field(
        default=None, description="how many at most; a grid's default is all, else it must be given"
    )
    concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        default=1, description="how many are queued or running at once"
    )
    max_runtime_s: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="from its start; then no trial is begun any more"
    )
    patience: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="ends when so many trials in a row were no better than the best"
    )
