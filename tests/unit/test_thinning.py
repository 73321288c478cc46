"""Thinned series keep their ends and their extremes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.thinning import largest_triangles


@given(st.integers(0, 400), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_as_many_points_as_asked_for(count: int, points: int, seed: int) -> None:
    y = np.random.default_rng(seed).normal(size=count).tolist()
    kept = largest_triangles(list(range(count)), y, points)
    assert len(kept) == min(count, points)
    assert kept == sorted(set(kept))
    if kept and points > 1:
        assert (kept[0], kept[-1]) == (0, count - 1)


@pytest.mark.parametrize("place", [17, 500, 983])
def test_a_spike_stays(place: int) -> None:
    y = [0.0] * 1000
    y[place] = 9.0
    assert place in largest_triangles(list(range(1000)), y, 20)


def test_extremes_stay_that_every_nth_would_miss() -> None:
    x = np.arange(5000.0)
    y = np.sin(x / 150) + np.where(np.random.default_rng(1).random(5000) < 0.004, 3, 0)
    kept = largest_triangles(x.tolist(), y.tolist(), 200)
    every = np.linspace(0, 4999, 200).astype(int)
    assert max(y[kept]) == max(y)
    assert np.ptp(y[kept]) > np.ptp(y[every])
