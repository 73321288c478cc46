"""What is kept of detections to be drawn: some images with their boxes, and a curve a class."""

from collections import OrderedDict

import numpy as np

from trainer.detection.average_precision import averages

IMAGES = 12
SURE = 0.5
"""Detections are drawn from this score on."""
LARGEST_SIDE = 480
"""Of an image, in pixels; a larger one loses whole lines and columns."""
CURVE_POINTS = 500
"""Of a curve of precision and recall, at most."""


class Seen:
    """The first images of a split, with what is said of them before and after suppression."""

    def __init__(self, rows, classes):
        self.rows = rows[:IMAGES]
        self.classes = classes
        self.before = {}
        self.after = {}

    def add(self, row, before, after):
        """``Detections`` of an image; those of other rows than the first are let go."""
        if row in self.rows:
            self.before[row], self.after[row] = sure(before), sure(after)

    def arrays(self, column, images, truths, made):
        """Arrays by name.

        ``image`` is (images, channels, height, width) bytes, ``name`` and ``row`` have an entry an image;
        ``classes`` are names. ``before``, ``after`` and ``true`` have a line a box: number of the image, x1,
        y1, x2, y2 in its pixels, class and score (of a true box 1, or 0 where it is difficult). ``curves``
        has a line a point: class, recall, precision; ``averages`` a line a class: all-point and 11-point
        average precision, NaN where nothing is annotated. The latter three are absent where nothing is known.
        """
        pixels = column.read(np.array(self.rows))
        step = -(-max(pixels.shape[2:]) // LARGEST_SIDE)
        found = OrderedDict(
            [
                ("image", np.clip(np.round(pixels[:, :, ::step, ::step]), 0, 255).astype(np.uint8)),
                ("row", np.array(self.rows)),
                ("name", np.array([images[row].name for row in self.rows])),
                ("classes", np.array(self.classes)),
                ("sure", np.array(SURE)),
                ("before", self.lines(self.before, step)),
                ("after", self.lines(self.after, step)),
            ]
        )
        if truths is not None:
            found["true"] = self.lines({row: Marked(truths[row]) for row in self.rows}, step)
            found["curves"] = np.concatenate([curve(k, one) for k, one in enumerate(made)])
            found["averages"] = np.array([pair(averages(one)) for one in made])
        return found

    def lines(self, said, step):
        return np.concatenate(
            [
                np.column_stack(
                    [np.full(len(one.scores), k), one.boxes.reshape(-1, 4) / step, one.classes, one.scores]
                )
                for k, one in enumerate(said[row] for row in self.rows)
            ]
        )


class Marked:
    """What is annotated, as if it had been said: difficult boxes with a score of 0."""

    def __init__(self, truth):
        self.boxes = truth.boxes
        self.classes = truth.classes
        self.scores = 1.0 - truth.difficult


def sure(said):
    return said.taken(np.flatnonzero(said.scores >= SURE))


def curve(number, found):
    """Points (m, 3): class, recall and precision at the first overlap. Between right ones it only falls."""
    recall, precision = found.curve()
    kept = np.zeros(0, dtype=np.int64)
    if len(recall) and found.objects:
        right = np.flatnonzero(np.diff(recall, prepend=0.0))
        kept = np.unique(np.concatenate([right, right[right > 0] - 1, [len(recall) - 1]]))
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, CURVE_POINTS).round().astype(np.int64))]
    return np.column_stack([np.full(len(kept), number), recall[kept], precision[kept]])


def pair(told):
    return [np.nan if told[name] is None else told[name] for name in ("ap_all_point", "ap_11_point")]
