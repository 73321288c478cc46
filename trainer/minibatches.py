"""Which rows come when: a pure function of seed, epoch and position, so nothing need be saved."""

import numpy as np

from trainer.parameters import derived_seed
from trainer.permutation import Permutation

BLOCK = 1 << 14
"""Positions whose rows are computed at a time."""


class Order:
    """The rows of a split in minibatches, shuffled anew each epoch.

    The permutation of an epoch depends on (seed, epoch) alone, so a resumed run finds its place
    from the epoch and the number of examples already seen in it. ``permutation`` is None (rows keep their
    order), "drawn" (whole, at the start of an epoch) or "computed" (position by position).
    """

    def __init__(self, rows, minibatch_size, seed=0, permutation=None):
        self.rows = rows
        self.minibatch_size = minibatch_size
        self.seed = seed
        self.permutation = permutation

    def __len__(self):
        return len(self.rows)

    def of_epoch(self, epoch):
        """A function of two positions: the rows from the one to before the other."""
        if self.permutation is None:
            return lambda start, end: self.rows[start:end]
        if self.permutation == "computed":
            computed = Permutation(len(self.rows), self.seed, "epoch", epoch)
            return lambda start, end: self.rows[computed(np.arange(start, end))]
        # The legacy generator, because numpy promises that its stream never changes.
        generator = np.random.RandomState(derived_seed(self.seed, "epoch", epoch))
        drawn = self.rows[generator.permutation(len(self.rows))]
        return lambda start, end: drawn[start:end]

    def minibatches(self, epoch=0, offset=0):
        """Row indices of each minibatch of ``epoch`` behind its first ``offset`` examples."""
        rows_between, size, count = self.of_epoch(epoch), self.minibatch_size, len(self.rows)
        step = max(BLOCK // size, 1) * size
        for first in range(offset, count, step):
            block = np.asarray(rows_between(first, min(first + step, count)))
            for start in range(0, len(block), size):
                yield block[start : start + size]


def permutation(training):
    """The ``permutation`` of an ``Order`` that a spec asks for; specs of old do not say how."""
    return training.get("permutation", "drawn") if training["shuffle"] else None
