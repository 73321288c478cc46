"""What the mean of a term is taken over: read with each minibatch, before CNTK sees it.

CNTK divides a sum over the rows of a minibatch by the number of rows. A term whose mean is over
steps, or over weights, is therefore multiplied by rows / steps, or by rows / (sum of weights).
"""

import numpy as np


class Normalizer:
    """A column of one number a row, the same for all rows of a minibatch."""

    axis = None
    sparse = False
    shape = (1,)

    def __init__(self, sequence=None, weight=None, class_weights=None, target=None):
        """``sequence`` is a column with the term's steps, or None where the term has a value a row.

        ``weight`` and ``target`` are columns with a value a step or a row; ``class_weights`` weighs the
        target's classes. Without any weight the mean is over steps.
        """
        self.sequence = sequence
        self.weight = weight
        self.class_weights = class_weights
        self.target = target

    def read(self, rows, epoch=None):
        """Float32 array (len(rows), 1)."""
        total = self.total(rows, epoch)
        # Where nothing has any weight the sum is zero, whatever it is multiplied by.
        scale = len(rows) / total if total else 0.0
        return np.full((len(rows), 1), scale, dtype=np.float32)

    def total(self, rows, epoch):
        """The sum of weights, or the number of steps."""
        if self.weight is None and self.class_weights is None:
            return float(self.sequence.lengths(rows, epoch).sum())
        weights = 1.0
        if self.weight is not None:
            weights = weights * self.each(self.weight, rows, epoch).reshape(-1).astype(np.float64)
        if self.class_weights is not None:
            weights = weights * (self.each(self.target, rows, epoch).astype(np.float64) @ self.class_weights)
        return float(weights.sum())

    def each(self, column, rows, epoch):
        """A column's values for each step of the term, or each row."""
        if column.axis is not None:
            return column.flat(rows, epoch)
        values = column.read(rows, epoch)
        return (
            values if self.sequence is None else np.repeat(values, self.sequence.lengths(rows, epoch), axis=0)
        )
