"""Which candidates are trained on: thresholds, shares, and a choice by seed, epoch and row alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer.detection.boxes import clipped, coded, decoded, mirrored
from trainer.detection.overlap import overlaps
from trainer.detection.sampling import BACKGROUND, all_of, sampled

RULES: dict[str, Any] = {
    "regions_per_image": 16,
    "foreground_share": 0.25,
    "foreground_overlap": 0.5,
    "background_overlap": [0.1, 0.4],
}


def boxes(count: int, seed: int, side: float = 100) -> np.ndarray:
    corners = np.random.default_rng(seed).uniform(0, side, size=(count, 2, 2))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)


def overlap_of(a: np.ndarray, b: np.ndarray) -> float:
    """By counting in exact arithmetic, box by box."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return float(shared / whole) if whole else 0.0


def kind_of(candidate: np.ndarray, annotated: np.ndarray, classes: list[int], difficult: list[bool]) -> Any:
    """ "background", (class, owner), or None for what is left out: the rules in words."""
    covered = [overlap_of(candidate.astype(float), box.astype(float)) for box in annotated]
    best = max(covered, default=0.0)
    if best >= RULES["foreground_overlap"]:
        owner = covered.index(best)
        return None if difficult[owner] else (classes[owner], owner)
    low, high = RULES["background_overlap"]
    return "background" if low <= best < high else None


def test_overlaps_are_those_of_each_pair() -> None:
    some, others = boxes(20, 1), boxes(9, 2)
    expected = [[overlap_of(a.astype(float), b.astype(float)) for b in others] for a in some]
    np.testing.assert_allclose(overlaps(some, others), expected, rtol=1e-12)
    empty = np.array([[5, 5, 5, 5]])
    assert overlaps(empty, empty) == 0
    assert overlaps(some, np.zeros((0, 4))).shape == (20, 0)


def test_corrections_lead_from_region_to_box() -> None:
    regions, wanted = boxes(50, 3), boxes(50, 4)
    means, deviations = [0.1, -0.2, 0.3, 0.0], [0.1, 0.2, 0.3, 0.4]
    corrections = coded(regions, wanted, means, deviations)
    assert corrections.dtype == np.float32
    for region, box, found in zip(regions.astype(float), wanted.astype(float), corrections, strict=True):
        width, height = region[2] - region[0], region[3] - region[1]
        plain = [
            ((box[0] + box[2]) / 2 - (region[0] + region[2]) / 2) / width,
            ((box[1] + box[3]) / 2 - (region[1] + region[3]) / 2) / height,
            np.log((box[2] - box[0]) / width),
            np.log((box[3] - box[1]) / height),
        ]
        np.testing.assert_allclose(found, (np.array(plain) - means) / deviations, rtol=1e-4, atol=1e-4)
    unclamped = (np.abs(corrections * deviations + means)[:, 2:] < 4).all(axis=1)
    back = decoded(regions, corrections[:, None], means, deviations)[:, 0]
    np.testing.assert_allclose(back[unclamped], wanted[unclamped], atol=2e-3)


def test_wild_corrections_make_finite_boxes() -> None:
    made = decoded(np.array([[0, 0, 0, 0], [10, 10, 20, 30]]), np.full((2, 3, 4), 1e6), [0] * 4, [1] * 4)
    assert np.isfinite(made).all()
    inside = clipped(made, 40, 30)
    assert inside.min() >= 0
    assert (inside[..., 2] <= 40).all()
    assert (inside[..., 3] <= 30).all()


def test_mirrored_twice_is_as_before() -> None:
    some = boxes(10, 5)
    turned = mirrored(some, 100)
    np.testing.assert_allclose(turned[:, 0], 100 - some[:, 2])
    assert (turned[:, 2] > turned[:, 0]).all()
    np.testing.assert_allclose(mirrored(turned, 100), some, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_choice_keeps_to_the_rules(seed: int) -> None:
    annotated = boxes(5, 10 + seed)
    candidates = np.concatenate([boxes(150, 30 + seed), annotated, annotated + 1])
    classes, difficult = [2, 1, 3, 1, 2], [False, False, True, False, False]
    kinds = [kind_of(candidate, annotated, classes, difficult) for candidate in candidates]
    found = sampled(
        overlaps(candidates, annotated),
        np.array(classes),
        np.array(difficult),
        RULES,
        np.random.RandomState(seed),
    )
    assert len(set(found.chosen)) == len(found.chosen) <= 16
    for position, label, owner in zip(found.chosen, found.labels, found.owners, strict=True):
        expected = "background" if label == BACKGROUND else (label, owner)
        assert kinds[position] == expected
    foreground = sum(isinstance(kind, tuple) for kind in kinds)
    assert (found.labels != BACKGROUND).sum() == min(foreground, 4)
    assert (found.labels == BACKGROUND).sum() == min(kinds.count("background"), 16 - min(foreground, 4))
    # Every candidate has its turn.
    seen = {
        int(position)
        for turn in range(300)
        for position in sampled(
            overlaps(candidates, annotated),
            np.array(classes),
            np.array(difficult),
            RULES,
            np.random.RandomState(turn),
        ).chosen
    }
    assert seen == {position for position, kind in enumerate(kinds) if kind is not None}


def test_image_without_a_box_is_background_and_never_empty() -> None:
    nothing = np.zeros((0, 4), dtype=np.float32)
    for rules in (RULES, {**RULES, "background_overlap": [0.0, 0.5]}):
        found = sampled(
            overlaps(boxes(40, 1), nothing),
            np.zeros(0, int),
            np.zeros(0, bool),
            rules,
            np.random.RandomState(0),
        )
        assert len(found.chosen) == (1 if rules is RULES else 16)
        assert not found.labels.any()
    whole = all_of(overlaps(boxes(40, 1), nothing), np.zeros(0, int), 0.5)
    assert list(whole.chosen) == list(range(40))
    assert not whole.labels.any()
