"""Of overlapping detections one is kept."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.detection.detections import candidates, detected
from trainer.detection.finding import Found
from trainer.detection.overlap import overlaps
from trainer.detection.suppression import suppressed


def one_by_one(boxes, scores, threshold):
    """The rule, read aloud: the surest first, each kept unless one that is kept covers it."""
    kept = []
    for number in sorted(range(len(scores)), key=lambda k: (-scores[k], k)):
        if all(overlaps(boxes[[number]], boxes[[other]])[0, 0] <= threshold for other in kept):
            kept.append(number)
    return kept


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_the_rule(threshold):
    draw = np.random.default_rng(1)
    corner = draw.integers(0, 40, (80, 2))
    boxes = np.concatenate([corner, corner + draw.integers(1, 30, (80, 2))], axis=1).astype(np.float32)
    # Every score is there several times.
    scores = np.round(draw.random(80), 1).astype(np.float32)
    found = suppressed(boxes, scores, threshold)
    assert found.tolist() == one_by_one(boxes, scores, threshold)
    assert suppressed(boxes, scores, threshold, most=7).tolist() == found[:7].tolist()


def test_nothing_to_suppress():
    assert suppressed(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


def found_on_an_image(scores, boxes):
    return Found(3, np.array(scores, dtype=np.float64), np.array(boxes, dtype=np.float32))


def test_each_class_is_suppressed_by_itself():
    here, there = [0, 0, 10, 10], [0, 0, 10, 9]
    said = candidates(
        found_on_an_image([[0.1, 0.5, 0.4], [0.1, 0.3, 0.6]], [[here, here], [there, there]]), 0.0
    )
    assert said.scores.tolist() == [0.6, 0.5, 0.4, 0.3]
    kept = detected(said, 2, 0.5, 10)
    assert kept.classes.tolist() == [1, 0]
    assert kept.scores.tolist() == [0.6, 0.5]
    assert kept.boxes.tolist() == [there, here]
    assert detected(said, 2, 1.0, 3).scores.tolist() == [0.6, 0.5, 0.4]


def test_what_is_unsure_empty_or_no_number_is_no_candidate():
    nan = float("nan")
    scores = [[0.2, 0.8], [0.8, 0.2], [0.0, 1.0], [0.0, nan], [0.0, 0.9]]
    boxes = [[0, 0, 4, 4], [0, 0, 4, 4], [5, 0, 5, 4], [0, 0, 4, 4], [0, 0, nan, 4]]
    said = candidates(found_on_an_image(scores, [[box] for box in boxes]), 0.5)
    assert said.scores.tolist() == [0.8]
    nothing = candidates(found_on_an_image(scores, [[box] for box in boxes]), 0.85)
    assert len(nothing) == len(detected(nothing, 1, 0.5, 100)) == 0
