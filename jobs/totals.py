"""Counts of what has happened to all jobs, for whoever watches the service from outside.

``cj:totals`` is a hash of whole numbers that the scripts in jobs/lua add to, in the same step as the
change that they count: ``entered:<state>:<reason>`` changes of state, ``phase_ms:<phase>`` time spent,
``delivery:<outcome>`` attempts to tell a webhook, ``samples``, ``minibatches`` and ``saved_bytes`` of all
trainers, and the histograms ``wait_ms`` and ``save_ms``, as ``<name>:<bound>`` for each bucket (not
cumulative), ``<name>:inf`` and ``<name>:sum``.
They begin at zero where Redis has lost its data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jobs.states import TRANSITIONS, Reason, State

WAIT_BOUNDS_MS = (100, 500, 1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000)
"""Upper bounds of the buckets of waits for a worker."""
SAVE_BOUNDS_MS = (3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
"""The same of the times that checkpoints took."""


def _lua(bounds: Sequence[int]) -> str:
    return "{" + ",".join(map(str, bounds)) + "}"


LUA_BOUNDS = f"local wait_bounds, save_bounds = {_lua(WAIT_BOUNDS_MS)}, {_lua(SAVE_BOUNDS_MS)}\n"
"""Goes before every script, so that the bounds are written down once."""


@dataclass
class Work:
    """What trainers reported that is counted: increments, all of them >= 0."""

    samples: int = 0
    minibatches: int = 0
    saved_bytes: int = 0
    save_ms: list[int] = field(default_factory=list)
    """One a checkpoint."""


@dataclass(frozen=True)
class Histogram:
    """How many values fell into each bucket, those above the last bound at the end; and their sum in ms."""

    bounds_ms: tuple[int, ...]
    counts: tuple[int, ...]
    sum_ms: int


@dataclass(frozen=True)
class Totals:
    """The hash, understood."""

    entered: dict[tuple[State, Reason], int]
    """By state and reason: whatever jobs/states.py permits."""
    phase_ms: dict[str, int]
    told: dict[str, int]
    """Attempts to tell a webhook, by how they ended; ``pending``: in vain, and another one follows."""
    samples: int
    minibatches: int
    saved_bytes: int
    waits: Histogram
    saves: Histogram

    @classmethod
    def of(cls, found: Mapping[str, str]) -> Totals:
        """The totals that stand in the hash; what is not there has not happened yet."""
        counts = {name: int(text) for name, text in found.items()}
        moves = sorted({(row.target, reason) for row in TRANSITIONS for reason in row.reasons})
        phases = ("queued", "starting", "training")
        return cls(
            entered={move: counts.get(f"entered:{move[0]}:{move[1]}", 0) for move in moves},
            phase_ms={phase: counts.get(f"phase_ms:{phase}", 0) for phase in phases},
            told={end: counts.get(f"delivery:{end}", 0) for end in ("delivered", "pending", "failed")},
            samples=counts.get("samples", 0),
            minibatches=counts.get("minibatches", 0),
            saved_bytes=counts.get("saved_bytes", 0),
            waits=_histogram("wait_ms", WAIT_BOUNDS_MS, counts),
            saves=_histogram("save_ms", SAVE_BOUNDS_MS, counts),
        )


def _histogram(name: str, bounds: tuple[int, ...], counts: Mapping[str, int]) -> Histogram:
    buckets = tuple(counts.get(f"{name}:{bound}", 0) for bound in (*bounds, "inf"))
    return Histogram(bounds, buckets, counts.get(f"{name}:sum", 0))
