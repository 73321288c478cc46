"""What is said to be on an image, of all that was looked at."""

import numpy as np

from trainer.detection.suppression import suppressed


class Detections:
    """Of one image, the surest first."""

    def __init__(self, boxes, classes, scores):
        self.boxes = boxes
        """(n, 4): x1, y1, x2, y2 in pixels of the stored image."""
        self.classes = classes
        """(n,): 0 and up; background is none."""
        self.scores = scores
        """(n,): probabilities."""

    def __len__(self):
        return len(self.scores)

    def taken(self, positions):
        """Those at ``positions``, in that order."""
        return Detections(self.boxes[positions], self.classes[positions], self.scores[positions])


def candidates(found, least_score):
    """Each region as each class whose probability is ``least_score`` or more, of a ``Found``; no empty box.

    Numbers that are none, as of a network that has diverged, are no detections.
    """
    scores = found.scores[:, 1:]
    boxes = found.boxes
    there = np.isfinite(boxes).all(axis=2) & (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
    with np.errstate(invalid="ignore"):
        regions, classes = np.nonzero(there & (scores >= least_score))
    all_of_them = Detections(boxes[regions, classes], classes, scores[regions, classes])
    return all_of_them.taken(np.argsort(-all_of_them.scores, kind="mergesort"))


def detected(said, classes, overlap, most):
    """The ``most`` surest of ``candidates``, of so many classes, but for those suppressed by their like."""
    kept = [np.zeros(0, dtype=np.int64)]
    for number in range(classes):
        mine = np.flatnonzero(said.classes == number)
        kept.append(mine[suppressed(said.boxes[mine], said.scores[mine], overlap, most)])
    # Positions are ranks: candidates have the surest first.
    return said.taken(np.sort(np.concatenate(kept))[:most])
