"""Pictures of what a detector found."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worker.drawing.detections import detections, precision_recall

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)
"""Of the first two classes."""


def found(images: int = 2, channels: int = 3, classes: int = 2) -> dict[str, Any]:
    """Grey images of 40 x 60: on the first a box of each of two classes, and one that is suppressed."""
    kept = [[0, 10, 10, 30, 30, 0, 0.9], [0, 35, 5, 55, 35, 1, 0.8]]
    return {
        "image": np.full((images, channels, 40, 60), 128, dtype=np.uint8),
        "row": np.arange(images) + 7,
        "name": np.array(["$a$.png"] + [""] * (images - 1)),
        "classes": np.array([f"class_{k}$" for k in range(classes)]),
        "sure": np.array(0.5),
        "before": np.array([*kept, [0, 12, 10, 32, 30, 0, 0.7]]),
        "after": np.array(kept),
        "true": np.array([[0, 10, 10, 30, 30, 0, 1], [0, 36, 5, 55, 35, 1, 0]]),
        "curves": np.array([[0, 0.5, 1], [0, 1, 0.8], [1, 1, 1]]),
        "averages": np.array([[0.9, 0.91]] * classes),
    }


def pixels(picture: bytes | None) -> np.ndarray:
    assert picture is not None
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def like(picture: np.ndarray, colour: tuple[int, int, int], within: int = 12) -> np.ndarray:
    """Where a picture has about a colour."""
    return np.asarray(np.abs(picture - np.array(colour)).max(axis=-1) < within)


def test_boxes_lie_where_they_were_found():
    arrays = found(images=1)
    arrays.pop("true")
    shown = pixels(detections(arrays, "after", "a job"))
    assert shown.shape[1] == 1200
    grey = like(shown, (128, 128, 128))
    rows, columns = (np.flatnonzero(grey.sum(axis=axis) > 50) for axis in (1, 0))
    left, top = columns[0], rows[0]
    scale = (columns[-1] - left + 1) / 60
    for colour, (x1, y1, x2, y2) in ((BLUE, (10, 10, 30, 30)), (ORANGE, (35, 5, 55, 35))):
        where = like(shown, colour, within=60)
        # The frame of a box, not the line of the legend above nor the label at its corner.
        where[:top] = False
        across, down = (
            where[round(top + (y1 + y2) / 2 * scale)],
            where[:, round(left + (x1 + x2) / 2 * scale)],
        )
        assert (np.flatnonzero(across)[[0, -1]] - left) / scale == pytest.approx([x1, x2], abs=0.6)
        assert (np.flatnonzero(down)[[0, -1]] - top) / scale == pytest.approx([y1, y2], abs=0.6)


def test_what_was_suppressed_is_in_the_other_picture():
    arrays = found()
    after, before = (pixels(detections(arrays, which, "a job")) for which in ("after", "before"))
    assert like(before, BLUE).sum() > 1.3 * like(after, BLUE).sum()
    assert like(before, ORANGE).sum() == like(after, ORANGE).sum()


def test_what_is_annotated_is_drawn_upon():
    arrays = found()
    known = pixels(detections(arrays, "after", "a job"))
    arrays.pop("true")
    unknown = pixels(detections(arrays, "after", "a job"))
    inside = np.s_[90:280, 20:400]
    assert like(known[inside], (0, 0, 0)).sum() > 100 > like(unknown[inside], (0, 0, 0)).sum()


@pytest.mark.parametrize("case", ["grey", "many", "nothing", "tall"])
def test_whatever_was_found_is_drawn(case):
    arrays = found(images=12, classes=30) if case == "many" else found(channels=1)
    if case == "many":
        boxes = np.tile(arrays["after"], (40, 1))
        arrays["after"] = arrays["before"] = boxes
    if case == "nothing":
        for which in ("after", "before", "true"):
            arrays[which] = np.zeros((0, 7))
        arrays["curves"] = np.zeros((0, 3))
        arrays["averages"] = np.zeros((2, 2))
    if case == "tall":
        arrays["image"] = np.zeros((1, 1, 4000, 10), dtype=np.uint8)
    for which in ("after", "before"):
        assert pixels(detections(arrays, which, "$x")).shape[0] < 4000
    assert pixels(precision_recall(arrays, "$x")).shape == (600, 750, 3)


def test_a_curve_a_class():
    arrays = found()
    shown = pixels(precision_recall(arrays, "a job"))
    assert like(shown, BLUE).sum() > 400
    arrays["averages"][0] = np.nan
    assert like(pixels(precision_recall(arrays, "a job")), BLUE).sum() < 50


def test_without_anything_annotated_there_are_no_curves():
    arrays = found()
    arrays["averages"][:] = np.nan
    assert precision_recall(arrays, "a job") is None
    arrays.pop("curves")
    assert precision_recall(arrays, "a job") is None
