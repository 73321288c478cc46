"""The loss of every minibatch, thinned to a number of points that a chart can bear."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class LossSeries:
    """Minibatch losses in buckets of consecutive steps, oldest first.

    ``step`` is the last step of each bucket (steps count from 1) and ``last`` its loss;
    ``min``, ``max`` and ``mean`` are over the bucket's finite losses. What is not finite is
    None. ``steps`` counts all minibatches so far.
    """

    steps: int
    step: list[int] = field(default_factory=list)
    last: list[float | None] = field(default_factory=list)
    min: list[float | None] = field(default_factory=list)
    max: list[float | None] = field(default_factory=list)
    mean: list[float | None] = field(default_factory=list)


def loss_series(path: Path, points: int) -> LossSeries:
    """At most ``points`` buckets of the little-endian float64 losses at ``path``.

    The file is mapped and one bucket at a time is in memory. A torn last value is left out;
    no file is no steps.
    """
    size = path.stat().st_size // 8 if path.is_file() else 0
    series = LossSeries(size)
    if not size:
        return series
    losses = np.memmap(path, dtype="<f8", mode="r", shape=(size,))
    edges = np.linspace(0, size, min(points, size) + 1).astype(int).tolist()
    for start, end in itertools.pairwise(edges):
        bucket = losses[start:end]
        finite = bucket[np.isfinite(bucket)]
        last = float(bucket[-1])
        series.step.append(end)
        series.last.append(last if math.isfinite(last) else None)
        series.min.append(float(finite.min()) if finite.size else None)
        series.max.append(float(finite.max()) if finite.size else None)
        series.mean.append(float(finite.mean()) if finite.size else None)
    return series
