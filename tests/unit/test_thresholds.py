"""Tuned thresholds against every threshold there is."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from trainer.thresholds import tuned

FIGURES = ("hamming_loss", "micro_f1", "macro_f1")


def figure(by: str, probabilities: np.ndarray, truths: np.ndarray, thresholds: Any) -> float:
    said = probabilities > np.asarray(thresholds)
    if by == "hamming_loss":
        return -float((said != truths).mean())
    axis = None if by == "micro_f1" else 0
    both, total = (said & truths).sum(axis=axis), said.sum(axis=axis) + truths.sum(axis=axis)
    return float(np.mean(2 * both / np.maximum(total, 1)))


def every_threshold(probabilities: np.ndarray) -> list[float]:
    """One in each gap, the ends included."""
    known = np.unique(np.append(probabilities.ravel(), [0.0, 1.0]))
    return [*((known[1:] + known[:-1]) / 2), 0.5, 1.0]


@pytest.mark.parametrize("by", FIGURES)
@pytest.mark.parametrize("seed", range(6))
def test_none_is_better(by: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    truths = random.random((9, 3)) < [0.2, 0.5, 0.8]
    # Rounded, so that many are equal.
    probabilities = np.round(np.clip(0.5 * truths + random.normal(0.3, 0.3, (9, 3)), 0.01, 0.99), 1)
    one = tuned(probabilities, truths, by, per_label=False)
    assert len(set(one)) == 1
    best = max(figure(by, probabilities, truths, t) for t in every_threshold(probabilities))
    assert figure(by, probabilities, truths, one) == pytest.approx(best, abs=1e-12)
    each = tuned(probabilities, truths, by, per_label=True)
    choices = itertools.product(*(every_threshold(probabilities[:, k]) for k in range(3)))
    best = max(figure(by, probabilities, truths, chosen) for chosen in choices)
    assert figure(by, probabilities, truths, each) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("by", FIGURES)
@pytest.mark.parametrize("per_label", [False, True])
@pytest.mark.parametrize(
    ("probabilities", "truths", "expected"),
    [
        # 0.5 lies in the best gap.
        ([0.2, 0.4, 0.6, 0.9], [0, 0, 1, 1], 0.5),
        # The best gap is to one side.
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1], 0.25),
        ([0.6, 0.7, 0.8, 0.9], [0, 0, 1, 1], 0.75),
        # Two gaps are equally good for Hamming loss; all others want the lower one too.
        ([0.1, 0.4, 0.4, 0.9], [0, 1, 1, 1], 0.25),
        # A probability of 0 is never said.
        ([0.0, 0.0, 0.3, 0.4], [1, 0, 1, 1], 0.15),
    ],
)
def test_ties_go_towards_one_half(
    by: str, per_label: bool, probabilities: list[float], truths: list[int], expected: float
) -> None:
    found = tuned(np.array(probabilities)[:, None], np.array(truths)[:, None] == 1, by, per_label)
    assert found == [pytest.approx(expected)]


@pytest.mark.parametrize("by", FIGURES)
@pytest.mark.parametrize("per_label", [False, True])
def test_where_nothing_tells_them_apart_it_is_one_half(by: str, per_label: bool) -> None:
    nothing = np.zeros((0, 2))
    assert tuned(nothing, nothing > 0, by, per_label) == [0.5, 0.5]
    certain = np.full((3, 2), 0.999)
    assert tuned(certain, certain > 0, by, per_label) == [0.5, 0.5]


def test_neighbouring_numbers_are_told_apart() -> None:
    """Between a number and the next there is no middle: the lower one itself is the threshold."""
    low = 0.7
    high = np.nextafter(low, 1)
    probabilities = np.array([[low], [high]])
    [found] = tuned(probabilities, np.array([[False], [True]]), "hamming_loss", per_label=True)
    assert (probabilities > found).ravel().tolist() == [False, True]
