"""Regions of an image that may hold an object: what a detector is asked to look at.

They come from selective search, from a regular grid, or from both: first what selective search finds, and
where that is less than wanted, boxes of a grid that covers the image at several sizes and aspect ratios.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ingest.field_options import Strict

Boxes = npt.NDArray[np.float32]
"""(n, 4): x1, y1, x2, y2 in pixels of the image."""
Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class ProposalSettings(Strict):
    """How proposals are made. Sides and areas are shares of the image's longer side, and of its square."""

    method: Literal["selective_search+grid", "selective_search", "grid"] = "selective_search+grid"
    max_proposals: Annotated[int, Field(ge=1, le=20_000)] = 2000
    """Of one image. Of more, as many are drawn by ``seed``."""
    working_size: Annotated[int, Field(ge=32, le=2000)] = 200
    """Pixels of the longer side of the image that is segmented."""
    segment_scales: Annotated[list[Positive], Field(min_length=1, max_length=10)] = Field([20.0, 50.0])
    """The image is segmented once for each; a higher one makes larger segments."""
    segment_smoothing: Annotated[float, Field(gt=0, le=10)] = 0.8
    """Deviation, in pixels of ``working_size``, of the Gaussian before it is segmented."""
    segment_min_pixels: Annotated[int, Field(ge=1)] = 20
    """Segments of fewer pixels, of ``working_size``, are joined to their neighbours."""
    min_side: Share = 0.04
    max_side: Share = 1.0
    min_area: Share = 0.0001
    max_area: Share = 0.9
    max_aspect_ratio: Annotated[float, Field(ge=1)] = 4.0
    """Of the longer side to the shorter one."""
    suppress_overlap: Share = 0.75
    """Of two boxes that overlap by more (intersection over union) the smaller is left out; 1: none is."""
    grid_aspect_ratios: Annotated[list[Positive], Field(min_length=1)] = Field([1.0, 2.0, 0.5])
    """Width to height of the grid's boxes."""
    grid_shrink: Annotated[float, Field(ge=0.3, le=0.95)] = 0.7
    """The grid's boxes are ``max_side`` long at most, then this share of it, and so on to ``min_side``."""
    grid_step: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    """From one box of the grid to the next, as a share of its width and height."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the draw where there are more than wanted."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for low, high in (("min_side", "max_side"), ("min_area", "max_area")):
            if getattr(self, low) > getattr(self, high):
                problem = "{low} is greater than {high}: no box is left"
                raise PydanticCustomError("range", problem, {"low": low, "high": high})
        return self


def propose(image: npt.NDArray[np.uint8], settings: ProposalSettings) -> Boxes:
    """At most ``max_proposals`` boxes of an image (height, width, 3) RGB; equal images have equal ones.

    An image without any contrast may have none by selective search alone.
    """
    height, width = image.shape[:2]
    draw = np.random.default_rng(settings.seed)
    chosen = np.zeros((0, 4))
    if settings.method != "grid":
        # OpenCV takes its time to import, and a service that gets no boxes has no need of it.
        from ingest.selective_search import segmented

        found = segmented(
            image,
            settings.working_size,
            settings.segment_scales,
            settings.segment_min_pixels,
            settings.segment_smoothing,
        )
        found = _suppressed(_sensible(found, height, width, settings), settings.suppress_overlap)
        chosen = _drawn(found, settings.max_proposals, draw)
    wanted = settings.max_proposals - len(chosen)
    if settings.method != "selective_search" and wanted:
        grid = _sensible(_grid(height, width, settings), height, width, settings)
        chosen = np.concatenate([chosen, _drawn(grid, wanted, draw)])
    return chosen.astype(np.float32)


def recall(boxes: Boxes, proposals: Boxes, threshold: float) -> tuple[int, int]:
    """How many of the boxes some proposal overlaps by ``threshold`` (intersection over union), and how many
    boxes there are."""
    if not len(boxes) or not len(proposals):
        return 0, len(boxes)
    best = np.array([_overlaps(box, proposals).max() for box in boxes.astype(np.float64)])
    return int((best >= threshold).sum()), len(boxes)


def _sensible(
    boxes: npt.NDArray[np.float64], height: int, width: int, settings: ProposalSettings
) -> npt.NDArray[np.float64]:
    """Those within the limits of side, area and aspect ratio."""
    longer = max(height, width)
    sides = (boxes[:, 2:] - boxes[:, :2]) / longer
    low, high, area = sides.min(axis=1), sides.max(axis=1), sides.prod(axis=1)
    # A side of exactly the least or greatest length is within, however its pixels were rounded.
    slack = 1e-9
    within = (low > 0) & (low >= settings.min_side - slack) & (high <= settings.max_side + slack)
    within &= (area >= settings.min_area - slack) & (area <= settings.max_area + slack)
    within &= high <= settings.max_aspect_ratio * low + slack
    kept: npt.NDArray[np.float64] = boxes[within]
    return kept


def _suppressed(boxes: npt.NDArray[np.float64], threshold: float) -> npt.NDArray[np.float64]:
    """Without those that overlap a larger one by more than ``threshold``; the largest first."""
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    boxes = boxes[np.argsort(-areas, kind="stable")]
    kept = []
    while len(boxes):
        kept.append(boxes[0])
        rest = boxes[1:]
        boxes = rest[_overlaps(boxes[0], rest) <= threshold]
    return np.array(kept).reshape(-1, 4)


def _overlaps(box: npt.NDArray[np.float64], others: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Intersection over union of one box with each of others (n, 4)."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    whole: npt.NDArray[np.float64] = shared / (np.prod(box[2:] - box[:2]) + areas - shared)
    return whole


def _drawn(boxes: npt.NDArray[np.float64], count: int, draw: np.random.Generator) -> npt.NDArray[np.float64]:
    """``count`` of the boxes, in their order; all where there are no more."""
    if len(boxes) <= count:
        return boxes
    return boxes[np.sort(draw.choice(len(boxes), count, replace=False))]


def _grid(height: int, width: int, settings: ProposalSettings) -> npt.NDArray[np.float64]:
    """Boxes of falling size at each aspect ratio, whose steps are so adjusted that they reach the borders."""
    longer = max(height, width)
    boxes = []
    side = settings.max_side * longer
    while side >= settings.min_side * longer:
        for ratio in settings.grid_aspect_ratios:
            wide, high = (side, side / ratio) if ratio >= 1 else (side * ratio, side)
            if wide > width or high > height:
                continue
            lefts, tops = (
                np.linspace(0, whole - part, 1 + int(np.ceil((whole - part) / (settings.grid_step * part))))
                for whole, part in ((width, wide), (height, high))
            )
            left, top = (corner.ravel() for corner in np.meshgrid(lefts, tops))
            boxes.append(np.stack([left, top, left + wide, top + high], axis=1))
        side *= settings.grid_shrink
    return np.concatenate(boxes) if boxes else np.zeros((0, 4))
