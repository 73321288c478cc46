"""Average precision of detections, by the rules of COCO's own evaluation and Pascal VOC's two averages.

Detections of a class, of all images, go from the surest on. Each takes the annotated box of its image that it
overlaps most among those that none has taken, if by the threshold at least (intersection over union), and is
right; else it is wrong. Difficult boxes need not be found: they count in no recall, and what overlaps no
other box but such a one is neither right nor wrong, however often.
"""

from collections import OrderedDict

import numpy as np

from trainer.detection.overlap import overlaps

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""COCO's overlaps, over which its average precision is a mean."""
RECALLS = np.linspace(0.0, 1.0, 101)
"""At which COCO takes the precision."""
ELEVEN = np.linspace(0.0, 1.0, 11) - 1e-9
"""VOC's of 2007. A recall of 3/10 reaches 0.3, whatever both are in binary."""


class Truth:
    """What is annotated on one image."""

    def __init__(self, boxes, classes, difficult):
        self.boxes = boxes
        """(n, 4), in the coordinates of detections."""
        self.classes = classes
        """(n,): 0 and up."""
        self.difficult = difficult
        """(n,) bool."""


class Outcomes:
    """All detections of one class, the surest first, and what became of each."""

    def __init__(self, scores, right, counted, objects):
        self.scores = scores
        """(n,)"""
        self.right = right
        """(thresholds, n) bool."""
        self.counted = counted
        """(thresholds, n) bool: neither right nor wrong where False."""
        self.objects = objects
        """Annotated boxes that are not difficult."""

    def curve(self, threshold=0):
        """Recall and precision (m,) behind each detection that counts, at a threshold by position."""
        counted = self.counted[threshold]
        right = np.cumsum(self.right[threshold][counted])
        return right / float(max(self.objects, 1)), right / np.arange(1.0, len(right) + 1)


def outcomes(images, classes):
    """``Outcomes`` of each of ``classes`` classes of a list of (``Detections``, ``Truth``), one an image."""
    return [outcomes_of(images, number) for number in range(classes)]


def outcomes_of(images, number):
    count = len(THRESHOLDS)
    scores, right, counted, objects = [np.zeros(0)], [], [], 0
    for said, truth in images:
        mine, true = said.taken(np.flatnonzero(said.classes == number)), truth.classes == number
        difficult = truth.difficult[true]
        objects += int((~difficult).sum())
        scores.append(mine.scores)
        overlap = overlaps(mine.boxes, truth.boxes[true])
        for threshold in THRESHOLDS:
            owners = taken(overlap, difficult, threshold)
            ignored = np.zeros(len(owners), dtype=bool)
            ignored[owners >= 0] = difficult[owners[owners >= 0]]
            right.append((owners >= 0) & ~ignored)
            counted.append(~ignored)
    scores = np.concatenate(scores)
    order = np.argsort(-scores, kind="mergesort")
    right, counted = (
        np.array([np.concatenate(made[k::count]) if made else np.zeros(0) for k in range(count)], dtype=bool)
        for made in (right, counted)
    )
    return Outcomes(scores[order], right[:, order], counted[:, order], objects)


def taken(overlap, difficult, threshold):
    """The annotated box that each detection takes, or -1; ``overlap`` is (detections, boxes), surest first.

    Of boxes overlapped alike the last is taken, as in COCO's evaluation. Difficult ones are taken by any
    number of detections, each of which found no other.
    """
    owners = np.full(len(overlap), -1)
    # COCO's evaluation counts an overlap of 1 as a little less, and so do we at a threshold of 1.
    threshold = min(threshold, 1 - 1e-10)
    ordinary, marked = np.flatnonzero(~difficult), np.flatnonzero(difficult)
    free = np.ones(len(ordinary), dtype=bool)
    for k, row in enumerate(overlap):
        open_ones = ordinary[free]
        chosen = last_best(row, open_ones, threshold)
        if chosen >= 0:
            free[np.searchsorted(ordinary, chosen)] = False
        else:
            chosen = last_best(row, marked, threshold)
        owners[k] = chosen
    return owners


def last_best(row, among, threshold):
    """The position of the last of the largest elements of ``row`` among some, or -1 below ``threshold``."""
    if not len(among):
        return -1
    values = row[among]
    best = len(values) - 1 - values[::-1].argmax()
    return among[best] if values[best] >= threshold else -1


def interpolated(precision):
    """At each recall the best precision at that or a higher one."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def at_recalls(recall, precision, recalls):
    """The mean of interpolated precision at ``recalls``; 0 at those that are not reached."""
    places = np.searchsorted(recall, recalls, side="left")
    return float(np.append(interpolated(precision), 0.0)[places].mean())


def all_points(found, threshold=0):
    """The area under the interpolated curve of ``Outcomes``: VOC's average precision from 2010 on."""
    _, precision = found.curve(threshold)
    right = found.right[threshold][found.counted[threshold]]
    return float(interpolated(precision)[right].sum() / found.objects)


def averages(found):
    """Figures of one class; each average is None where nothing of it is annotated that is not difficult."""
    wrong = int((found.counted[0] & ~found.right[0]).sum())
    told = OrderedDict(
        [
            ("objects", found.objects),
            ("detections", len(found.scores)),
            ("right", int(found.right[0].sum())),
            ("wrong", wrong),
            ("ap_11_point", None),
            ("ap_all_point", None),
            ("ap_50", None),
            ("ap_50_95", None),
        ]
    )
    if found.objects:
        curves = [found.curve(k) for k in range(len(THRESHOLDS))]
        of_coco = [at_recalls(recall, precision, RECALLS) for recall, precision in curves]
        told["ap_11_point"] = at_recalls(*(curves[0] + (ELEVEN,)))
        told["ap_all_point"] = all_points(found)
        told["ap_50"] = of_coco[0]
        told["ap_50_95"] = float(np.mean(of_coco))
    return told


def means(of_classes):
    """The means of the averages over the classes that have one; None where none has."""
    names = ("ap_11_point", "ap_all_point", "ap_50", "ap_50_95")
    known = [told for told in of_classes if told["objects"]]
    return OrderedDict(
        ("m" + name, float(np.mean([told[name] for told in known])) if known else None) for name in names
    )
