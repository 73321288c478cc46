"""Any number of labels at once: counts a label, under a threshold for each."""

import numpy as np

from trainer.figures.counts import Reliability, entries, f1, ratio


def sigmoid(scores):
    """Probabilities, float64, of scores of any shape, without overflow."""
    scores = scores.astype(np.float64)
    small = np.exp(-np.abs(scores))
    return np.where(scores >= 0, 1.0, small) / (1.0 + small)


class LabelFigures:
    """Counts over all examples. A label is said where its probability is above its threshold."""

    def __init__(self, names, thresholds):
        self.names = names
        self.thresholds = np.asarray(thresholds, dtype=np.float64)
        self.examples = self.whole = 0
        self.both, self.said, self.true = (np.zeros(len(names), dtype=np.int64) for _ in range(3))
        self.reliability = Reliability()

    def add(self, output, target):
        """Scores and targets (n, labels); of a share, more than half is true."""
        probability = sigmoid(output)
        said, true = probability > self.thresholds, target > 0.5
        self.examples += len(said)
        self.whole += int((said == true).all(axis=1).sum())
        self.both += (said & true).sum(axis=0)
        self.said += said.sum(axis=0)
        self.true += true.sum(axis=0)
        self.reliability.add(probability.ravel(), true.ravel())

    def report(self):
        both, said, true = (counts.sum() for counts in (self.both, self.said, self.true))
        labels = entries(self.names, self.both, self.said, self.true)
        for entry, threshold in zip(labels, self.thresholds):
            entry["threshold"] = float(threshold)
        return {
            "examples": self.examples,
            "hamming_loss": ratio(said + true - 2 * both, self.examples * len(self.names)),
            "subset_accuracy": ratio(self.whole, self.examples),
            "micro_f1": float(f1(both, said, true)),
            "macro_f1": float(f1(self.both, self.said, self.true).mean()),
            "labels": labels,
            "calibration": self.reliability.report("mean_probability", "share_true"),
        }
