"""One class of several: confusion, and what follows from it."""

import numpy as np

from trainer.figures.counts import Reliability, entries, f1, ratio

CONFUSION_CLASSES = 200
"""With more classes than this there is no confusion matrix."""


def softmax(scores):
    """Probabilities of the classes, float64, of scores (n, classes)."""
    scores = scores.astype(np.float64)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


class ClassFigures:
    """Counts over all examples. The class said is the one of the highest score, of equals the first."""

    def __init__(self, names):
        self.names = names
        size = len(names)
        self.confusion = np.zeros((size, size), dtype=np.int64) if size <= CONFUSION_CLASSES else None
        self.both, self.said, self.true = (np.zeros(size, dtype=np.int64) for _ in range(3))
        self.reliability = Reliability()

    def add(self, output, target):
        """Scores and targets (n, classes); the true class of a distribution is its largest element."""
        size = len(self.names)
        said, true = output.argmax(axis=1), target.argmax(axis=1)
        right = said == true
        self.said += np.bincount(said, minlength=size)
        self.true += np.bincount(true, minlength=size)
        self.both += np.bincount(true[right], minlength=size)
        if self.confusion is not None:
            np.add.at(self.confusion, (true, said), 1)
        self.reliability.add(softmax(output).max(axis=1), right)

    def report(self):
        examples, right = int(self.true.sum()), int(self.both.sum())
        known = self.true > 0
        seen = known | (self.said > 0)
        found = {
            "examples": examples,
            "accuracy": ratio(right, examples),
            "balanced_accuracy": float((self.both[known] / self.true[known]).mean()) if examples else None,
            "macro_f1": float(f1(self.both, self.said, self.true)[seen].mean()) if examples else None,
            "classes": entries(self.names, self.both, self.said, self.true),
            "calibration": self.reliability.report("mean_confidence", "accuracy"),
            "confusion": None if self.confusion is None else self.confusion.tolist(),
        }
        if self.confusion is None:
            found["confusion_omitted"] = "%d classes; the matrix is given up to %d" % (
                len(self.names),
                CONFUSION_CLASSES,
            )
        return found
