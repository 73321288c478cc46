"""Of detections of one object the surest is kept."""

import numpy as np

from trainer.detection.overlap import overlaps


def suppressed(boxes, scores, threshold, most=None):
    """Positions of the boxes that are kept, the surest first, and of these at most ``most``.

    A box (of (n, 4)) falls where one of a higher score, of equal ones one before it, is kept and overlaps it
    by more than ``threshold`` (intersection over union).
    """
    left = np.argsort(-scores, kind="mergesort")
    kept = []
    while len(left) and (most is None or len(kept) < most):
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[overlaps(boxes[best : best + 1], boxes[left])[0] <= threshold]
    return np.array(kept, dtype=np.int64)
