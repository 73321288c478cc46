"""Regions that may hold an object."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from ingest.proposals import ProposalSettings, propose, recall

BOXES = [(20, 30, 60, 90), (100, 20, 190, 60), (120, 90, 180, 150)]


@pytest.fixture(scope="module")
def image():
    """Three shapes of one colour each, on noise."""
    draw = np.random.default_rng(3)
    canvas = Image.fromarray(draw.integers(90, 110, (160, 200, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(canvas)
    for (left, top, right, bottom), colour in zip(BOXES, ("red", "white", "blue"), strict=True):
        pen.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    return np.asarray(canvas)


@pytest.mark.parametrize("method", ["selective_search+grid", "selective_search", "grid"])
def test_proposals_lie_inside_and_within_the_limits(image, method):
    settings = ProposalSettings(
        method=method, max_proposals=500, min_side=0.1, max_side=0.6, max_area=0.2, max_aspect_ratio=3
    )
    found = propose(image, settings)
    assert found.dtype == np.float32
    assert 0 < len(found) <= 500
    assert found.min() >= 0
    assert (found[:, [0, 2]] <= 200).all()
    assert (found[:, [1, 3]] <= 160).all()
    sides = (found[:, 2:] - found[:, :2]) / 200
    low, high = sides.min(axis=1), sides.max(axis=1)
    assert low.min() >= 0.1 - 1e-6
    assert high.max() <= 0.6 + 1e-6
    assert (high / low).max() <= 3 + 1e-4
    assert sides.prod(axis=1).max() <= 0.2 + 1e-6


def test_selective_search_finds_what_stands_out(image):
    settings = ProposalSettings(method="selective_search")
    found = propose(image, settings)
    assert len(found) < settings.max_proposals
    assert recall(np.array(BOXES, np.float32), found, 0.7) == (3, 3)
    exact = propose(image, settings.model_copy(update={"suppress_overlap": 1.0}))
    assert recall(np.array(BOXES, np.float32), exact, 0.9) == (3, 3)


def test_both_are_what_selective_search_finds_and_then_the_grid(image):
    searched = propose(image, ProposalSettings(method="selective_search"))
    both = propose(image, ProposalSettings(max_proposals=len(searched) + 100))
    assert np.array_equal(both[: len(searched)], searched)
    grid = {tuple(box) for box in propose(image, ProposalSettings(method="grid", max_proposals=20_000))}
    assert len(both) == len(searched) + 100
    assert all(tuple(box) in grid for box in both[len(searched) :])


@pytest.mark.parametrize("method", ["selective_search+grid", "selective_search", "grid"])
def test_equal_images_have_equal_proposals(image, method):
    settings = ProposalSettings(method=method, max_proposals=50)
    first = propose(image, settings)
    assert len(first) == 50
    assert np.array_equal(first, propose(image.copy(), settings))
    other = propose(image, settings.model_copy(update={"seed": 1}))
    assert not np.array_equal(first, other)


def test_near_duplicates_are_left_out(image):
    def overlapping(limit):
        settings = ProposalSettings(method="selective_search", min_side=0.2, suppress_overlap=limit)
        found = propose(image, settings)
        pairs = [recall(found[k : k + 1], np.delete(found, k, axis=0), 0.6) for k in range(len(found))]
        return len(found), sum(over for over, _ in pairs)

    everything, near = overlapping(1)
    fewer, none = overlapping(0.55)
    assert near > 0
    assert none == 0
    assert 0 < fewer < everything


def test_an_image_without_contrast():
    blank = np.full((80, 120, 3), 127, dtype=np.uint8)
    nothing = propose(blank, ProposalSettings(method="selective_search", max_area=0.5))
    assert nothing.shape == (0, 4)
    assert nothing.dtype == np.float32
    assert len(propose(blank, ProposalSettings(max_area=0.5))) > 100


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 300, 3), (300, 2, 3)])
def test_images_that_are_hardly_any(shape):
    found = propose(np.zeros(shape, dtype=np.uint8), ProposalSettings())
    assert found.shape[1] == 4
    assert np.isfinite(found).all()


def test_recall_counts_boxes_by_overlap():
    boxes = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], np.float32)
    proposals = np.array([[0, 0, 10, 6], [22, 20, 32, 30], [0, 0, 0, 0]], np.float32)
    # 60/100 and 80/120.
    assert recall(boxes, proposals, 0.6) == (2, 2)
    assert recall(boxes, proposals, 0.61) == (1, 2)
    assert recall(boxes, proposals, 0.67) == (0, 2)
    assert recall(boxes, proposals[:0], 0.5) == (0, 2)
    assert recall(boxes[:0], proposals, 0.5) == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "place", "words"),
    [
        ({"min_side": 0.6, "max_side": 0.5}, (), "min_side is greater than max_side"),
        ({"min_area": 0.6, "max_area": 0.5}, (), "min_area is greater than max_area"),
        ({"max_proposals": 0}, ("max_proposals",), "greater than or equal to 1"),
        ({"grid_aspect_ratios": []}, ("grid_aspect_ratios",), "at least 1"),
        ({"segment_scales": [0]}, ("segment_scales", 0), "greater than 0"),
        ({"method": "sliding"}, ("method",), "selective_search"),
        ({"working": 3}, ("working",), "not permitted"),
    ],
)
def test_settings_that_make_no_sense(wrong, place, words):
    with pytest.raises(ValidationError) as caught:
        ProposalSettings(**wrong)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert words in error["msg"]
