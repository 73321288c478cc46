"""What a trial of a sweep has told so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jobs.sweeps.space import Parameters


class Fate(StrEnum):
    """How a trial stands, as far as the others are concerned."""

    GOING_ON = "going_on"
    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True)
class Course:
    """What a trial has told so far. ``by_epoch``: the goal's value after each epoch, counted from 1."""

    number: int
    parameters: Parameters
    fate: Fate = Fate.GOING_ON
    by_epoch: Mapping[int, float] = field(default_factory=dict)
    value: float | None = None
    """Of a trial that is complete, that of the trained network."""
