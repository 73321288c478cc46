"""Boxes x1, y1, x2, y2 in pixels, and the four numbers by which one box corrects another."""

import numpy as np

SMALLEST = 1e-3
"""Sides of a region are at least this long, in pixels, where something is divided by them."""
MOST_GROWTH = np.log(1000 / 16)
"""A region's side grows at most by exp of this: what a network says at first may be anything."""


def centred(boxes):
    """Centre x, centre y, width and height along a new last axis."""
    width = np.maximum(boxes[..., 2] - boxes[..., 0], SMALLEST)
    height = np.maximum(boxes[..., 3] - boxes[..., 1], SMALLEST)
    return np.stack([boxes[..., 0] + width / 2, boxes[..., 1] + height / 2, width, height], axis=-1)


def coded(regions, boxes, means, deviations):
    """Corrections (n, 4), float32, that make ``boxes`` of ``regions``, both (n, 4).

    ((dx / width, dy / height, log(width' / width), log(height' / height)) - means) / deviations, with d the
    way of the centre and width and height those of the region (Girshick, 2015).
    """
    region, box = (centred(np.asarray(each, dtype=np.float64)) for each in (regions, boxes))
    moved = (box[:, :2] - region[:, :2]) / region[:, 2:]
    grown = np.log(box[:, 2:] / region[:, 2:])
    told = np.concatenate([moved, grown], axis=1)
    return ((told - np.asarray(means)) / np.asarray(deviations)).astype(np.float32)


def decoded(regions, corrections, means, deviations):
    """Boxes (n, k, 4), float32, of (n, 4) regions and k corrections each, (n, k, 4): ``coded`` undone."""
    region = centred(np.asarray(regions, dtype=np.float64))[:, None, :]
    told = np.asarray(corrections, dtype=np.float64) * np.asarray(deviations) + np.asarray(means)
    centre = region[..., :2] + told[..., :2] * region[..., 2:]
    half = region[..., 2:] * np.exp(np.minimum(told[..., 2:], MOST_GROWTH)) / 2
    return np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32)


def clipped(boxes, width, height):
    """Boxes (…, 4) cut to an image of ``width`` x ``height`` pixels."""
    return np.minimum(np.maximum(boxes, 0), np.array([width, height, width, height], dtype=boxes.dtype))


def mirrored(boxes, width):
    """Boxes (n, 4) of an image as they are where left and right are swapped."""
    return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
