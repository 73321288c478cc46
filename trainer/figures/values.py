"""Numbers: errors, correlations and how the residuals lie."""

import numpy as np

from trainer.figures.counts import ratio

LISTED_ELEMENTS = 100
"""With more elements than this the report speaks of all of them together."""
RANKED_NUMBERS = 10 * 1000 * 1000
"""What can be told of sorted numbers only is told up to so many (rows times elements)."""
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class ValueFigures:
    """Moments of prediction and target of each element, merged minibatch by minibatch (Chan et al.)."""

    def __init__(self, names):
        self.names = names
        size = len(names)
        self.count = 0
        self.squared, self.absolute = np.zeros(size), np.zeros(size)
        self.mean = np.zeros((2, size))
        """Of predictions and of targets."""
        self.moments = np.zeros((3, size))
        """Sums of squared deviations of predictions, of targets, and of their products."""
        self.kept = []
        """(predictions, targets) as float32 while there are few enough to be sorted at the end."""

    def add(self, output, target):
        """Predictions and targets (n, elements)."""
        both = np.stack([output, target]).astype(np.float64)
        residual = both[0] - both[1]
        self.squared += np.square(residual).sum(axis=0)
        self.absolute += np.abs(residual).sum(axis=0)
        added = both.shape[1]
        mean = both.mean(axis=1)
        deviation = both - mean[:, None]
        step = mean - self.mean
        share = self.count * added / float(self.count + added)
        for k, (a, b) in enumerate(((0, 0), (1, 1), (0, 1))):
            self.moments[k] += (deviation[a] * deviation[b]).sum(axis=0) + share * step[a] * step[b]
        self.mean += step * added / (self.count + added)
        self.count += added
        if self.kept is not None:
            self.kept.append((output.astype(np.float32), target.astype(np.float32)))
            if self.count * len(self.names) > RANKED_NUMBERS:
                self.kept = None

    def report(self):
        size = len(self.names)
        if not self.count:
            return {"examples": 0}
        residuals = spearman = None
        if self.kept is not None:
            predicted, true = (np.concatenate(arrays) for arrays in zip(*self.kept))
            residuals = predicted.astype(np.float64) - true
            spearman = [rank_correlation(predicted[:, k], true[:, k]) for k in range(size)]
        variance = self.moments[1]
        r2 = [1 - self.squared[k] / variance[k] if variance[k] > 0 else None for k in range(size)]
        pearson = [correlation(*self.moments[:, k]) for k in range(size)]
        found = {
            "examples": self.count,
            "rmse": float(np.sqrt(self.squared.sum() / (self.count * size))),
            "mae": ratio(self.absolute.sum(), self.count * size),
            "r2": mean(r2),
            "pearson": mean(pearson),
            "spearman": mean(spearman),
            "residual_quantiles": quantiles(residuals),
        }
        if residuals is None:
            found["ranks_omitted"] = "more than %d numbers to sort" % RANKED_NUMBERS
        if size > LISTED_ELEMENTS:
            found["elements_omitted"] = "%d elements; each is listed up to %d" % (size, LISTED_ELEMENTS)
            return found
        found["elements"] = [
            {
                "name": name,
                "rmse": float(np.sqrt(self.squared[k] / self.count)),
                "mae": float(self.absolute[k] / self.count),
                "r2": None if r2[k] is None else float(r2[k]),
                "pearson": pearson[k],
                "spearman": spearman and spearman[k],
                "residual_quantiles": quantiles(residuals if residuals is None else residuals[:, k]),
            }
            for k, name in enumerate(self.names)
        ]
        return found


def mean(values):
    """The mean of those that there are."""
    known = [value for value in values or () if value is not None]
    return float(np.mean(known)) if known else None


def correlation(xx, yy, xy):
    """Pearson's, of sums of squared deviations and of products; None where something is constant."""
    return float(np.clip(xy / np.sqrt(xx * yy), -1, 1)) if xx > 0 and yy > 0 else None


def ranks(values):
    """1 for the lowest; equals share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]


def rank_correlation(x, y):
    """Spearman's: Pearson's of the ranks."""
    x, y = (taken - taken.mean() for taken in (ranks(x), ranks(y)))
    return correlation((x * x).sum(), (y * y).sum(), (x * y).sum())


def quantiles(residuals):
    """{"0.05": residual, …} of predictions less targets, interpolated."""
    if residuals is None:
        return None
    found = np.quantile(residuals, QUANTILES)
    return {"%g" % at: float(value) for at, value in zip(QUANTILES, found)}
