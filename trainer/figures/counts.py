"""Precision, recall and F1 from counts, and how far probabilities can be believed."""

import numpy as np

BINS = 10


def ratio(part, whole):
    """``part / whole``, or None where the whole is nothing."""
    return float(part) / float(whole) if whole else None


def f1(both, said, true):
    """2 both / (said + true) of each; 0 for what is neither said nor true, as in scikit-learn."""
    return 2.0 * both / np.maximum(said + true, 1)


def entries(names, both, said, true):
    """One entry a class or label; precision is None where it was never said, recall where never true."""
    return [
        {
            "name": name,
            "precision": ratio(both[k], said[k]),
            "recall": ratio(both[k], true[k]),
            "f1": float(f1(both[k], said[k], true[k])),
            "support": int(true[k]),
        }
        for k, name in enumerate(names)
    ]


class Reliability:
    """Probabilities in ten equal bins, and how often what they spoke of was so."""

    def __init__(self):
        self.count = np.zeros(BINS, dtype=np.int64)
        self.probability = np.zeros(BINS)
        self.right = np.zeros(BINS, dtype=np.int64)

    def add(self, probability, right):
        """Flat arrays: probabilities, and whether each came true."""
        bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
        self.count += np.bincount(bins, minlength=BINS)
        self.probability += np.bincount(bins, weights=probability, minlength=BINS)
        self.right += np.bincount(bins[right], minlength=BINS)

    def report(self, said, came_true):
        """The bins under these two names, and the expected calibration error: the mean gap between them."""
        gap = np.abs(self.right - self.probability).sum()
        return {
            "expected_calibration_error": ratio(gap, self.count.sum()),
            "bins": [
                {
                    "from": k / BINS,
                    "to": (k + 1) / BINS,
                    "count": int(self.count[k]),
                    said: ratio(self.probability[k], self.count[k]),
                    came_true: ratio(self.right[k], self.count[k]),
                }
                for k in range(BINS)
            ],
        }
