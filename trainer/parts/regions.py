"""Layers over the regions of an image, which are the steps of a sequence: one box each."""

from collections import OrderedDict
from typing import Any, Dict, List

import numpy as np

from trainer.engine import C
from trainer.parts.layers import layers, written
from trainer.parts.registry import Param, Plan, PlanError

REGIONS = "regions"
AXIS = "rois"
BACKGROUND_CLASS = "background"
NAMES = ("rois", "region_class", "region_targets", "region_weights")


def fields_of(classes: List[str], count: int, longest: int) -> Dict[str, Any]:
    """The fields that a spec's regions make, as a schema describes fields.

    ``count`` is of all steps in training, ``longest`` that of an image which has most in evaluation.
    """
    known = [BACKGROUND_CLASS] + list(classes)
    common = {
        "kind": "dense",
        "dtype": "float32",
        "sequence": True,
        "axis": AXIS,
        "files": {},
        "count": count,
        "max_length": longest,
    }
    return OrderedDict(
        [
            ("rois", dict(common, shape=[4])),
            ("region_class", dict(common, kind="categorical", shape=[len(known)], classes=known)),
            ("region_targets", dict(common, shape=[4 * len(known)])),
            ("region_weights", dict(common, shape=[4 * len(known)], min=0.0, max=1.0)),
        ]
    )


@layers.part("roi_pooling", sequence=REGIONS)
def roi_pooling(
    make,
    features,
    rois,
    *,
    size: List[int] = Param([7, 7], ge=1, documentation="rows and columns of what a region becomes"),
    stride: float = Param(16.0, gt=0, documentation="pixels from one column of the features to the next"),
    offset: float = Param(
        0.0,
        documentation="pixels between the image's edge and that of the first column, where convolutions "
        "without padding have cut off a margin",
    ),
):
    """The largest element of each cell of a grid that is laid over each region of an image's features.

    The first input is (channels, height, width), one a row; the second a sequence of boxes x1, y1, x2, y2 in
    the image's pixels. A box covers the columns from round((x1 - offset) / stride) to
    round((x2 - offset) / stride), both included, and rows alike; cells share a column
    where the grid does not divide them. What lies outside the features is moved to their edge, so a region
    has one row and one column at least.
    """
    height, width = features.shape[1:]
    far = C.constant(np.array([width - 1, height - 1] * 2, dtype=np.float32) * stride)
    # CNTK takes a negative column for a very large one.
    inside = C.element_max(C.element_min(rois - offset, far), 0)
    # CNTK pools a fixed number of regions an image: those that pad shorter rows are dropped again behind it.
    boxes = C.sequence.unpack(inside, 0, no_mask_output=True)
    pooled = C.roipooling(features, boxes, C.MAX_POOLING, tuple(size), 1.0 / stride)
    return C.to_sequence_like(pooled, rois)


@roi_pooling.planned
def plan_roi_pooling(features, rois, *, size, stride, offset):
    if len(features) != 3:
        raise PlanError("it pools features of (channels, height, width), not %s" % written(features))
    if tuple(rois) != (4,):
        raise PlanError("a region is x1, y1, x2, y2: a sequence of 4 numbers, not %s" % written(rois))
    if len(size) != 2:
        raise PlanError("size takes rows and columns, not %d sizes" % len(size))
    if size[0] > features[1] or size[1] > features[2]:
        # CNTK refuses it, though regions may well be smaller than what they become.
        raise PlanError(
            "size %s is larger than the features, which are %s; use a smaller one"
            % (written(size), written(features[1:]))
        )
    return Plan((features[0],) + tuple(size))
