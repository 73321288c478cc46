"""How much boxes cover each other."""

import numpy as np


def areas(boxes):
    """(n,) of (n, 4); an inverted box has none."""
    return np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)


def overlaps(boxes, others):
    """Intersection over union of every pair: float64 (n, m) of (n, 4) and (m, 4) boxes x1, y1, x2, y2.

    Two boxes without any area overlap by 0.
    """
    boxes, others = (np.asarray(each, dtype=np.float64).reshape(-1, 4) for each in (boxes, others))
    width = np.minimum(boxes[:, None, 2], others[None, :, 2]) - np.maximum(
        boxes[:, None, 0], others[None, :, 0]
    )
    height = np.minimum(boxes[:, None, 3], others[None, :, 3]) - np.maximum(
        boxes[:, None, 1], others[None, :, 1]
    )
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    union = areas(boxes)[:, None] + areas(others)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
