"""From which probability on a label is said: as told, or tuned on probabilities and truths of a split.

Between two neighbouring probabilities every threshold says the same labels. One candidate stands for
such a gap: 0.5 where it lies in the gap, else its middle. Of equally good ones the nearest to 0.5 wins.
"""

import numpy as np

DEFAULT = 0.5


def tuned(probabilities, truths, by, per_label):
    """One threshold a label, best by ``by``: "hamming_loss", "micro_f1" or "macro_f1".

    ``probabilities`` and ``truths`` (bool) are (n, labels). Without ``per_label`` all are equal.
    """
    labels = probabilities.shape[1]
    if not probabilities.size:
        return [DEFAULT] * labels
    if not per_label:
        return [single(probabilities, truths, by)] * labels
    cuts = [Cuts(probabilities[:, k], truths[:, k]) for k in range(labels)]
    if by == "hamming_loss":
        return [cut.best(-cut.errors()) for cut in cuts]
    if by == "macro_f1":
        return [cut.best(cut.f1()) for cut in cuts]
    return for_micro_f1(cuts)


def single(probabilities, truths, by):
    """The one threshold for all labels."""
    pooled = Cuts(probabilities.ravel(), truths.ravel())
    if by == "hamming_loss":
        return pooled.best(-pooled.errors())
    if by == "micro_f1":
        return pooled.best(pooled.f1())
    # Each label's F1 at each candidate: that of the last of its own cuts that is above.
    total = np.zeros(len(pooled.candidates))
    for k in range(probabilities.shape[1]):
        own = Cuts(probabilities[:, k], truths[:, k])
        total += own.f1()[np.searchsorted(-own.distinct, -pooled.candidates)]
    return pooled.best(total)


def for_micro_f1(cuts):
    """Thresholds a label with the highest micro F1 of all: Dinkelbach's method for a ratio of sums.

    For a fixed F each label is best by 2 both - F said alone; the F that comes of it is never lower.
    """
    value = 0.0
    while True:
        gains = [2.0 * cut.both - value * cut.said for cut in cuts]
        chosen = [cut.place(gain) for cut, gain in zip(cuts, gains)]
        both = sum(int(cut.both[at]) for cut, at in zip(cuts, chosen))
        said = sum(int(cut.said[at]) for cut, at in zip(cuts, chosen))
        found = 2.0 * both / max(said + sum(cut.positives for cut in cuts), 1)
        if found <= value:
            return [float(cut.candidates[at]) for cut, at in zip(cuts, chosen)]
        value = found


class Cuts:
    """What each candidate threshold says, the highest threshold (nothing is said) first."""

    def __init__(self, probabilities, truths):
        order = np.argsort(-probabilities, kind="mergesort")
        probabilities, truths = probabilities[order], truths[order]
        last = np.append(np.flatnonzero(np.diff(probabilities)), len(probabilities) - 1)
        self.distinct = probabilities[last]
        """Each probability once, falling."""
        self.said = np.append(0, last + 1)
        self.both = np.append(0, np.cumsum(truths)[last])
        self.positives = int(truths.sum())
        # A gap holds its lower end, for a label is said above its threshold, and not its upper one.
        upper, lower = np.append(1.0, self.distinct), np.append(self.distinct, 0.0)
        middle = (upper + lower) / 2
        middle = np.where((middle < upper) | (upper == lower), middle, lower)
        self.candidates = np.where((lower <= DEFAULT) & (upper > DEFAULT), DEFAULT, middle)
        if self.distinct[-1] <= 0:
            # Nothing is below a probability that has come down to 0: no threshold says it.
            self.said, self.both, self.candidates = self.said[:-1], self.both[:-1], self.candidates[:-1]

    def errors(self):
        return self.said + self.positives - 2 * self.both

    def f1(self):
        return 2.0 * self.both / np.maximum(self.said + self.positives, 1)

    def place(self, score):
        """Where the score is highest; of equals, whose candidate is nearest to 0.5."""
        best = np.flatnonzero(score >= score.max() - 1e-12)
        return int(best[np.argmin(np.abs(self.candidates[best] - DEFAULT))])

    def best(self, score):
        return float(self.candidates[self.place(score)])
