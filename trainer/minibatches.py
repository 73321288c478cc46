"""Which rows come when: a pure function of seed, epoch and position, so nothing need be saved."""

import numpy as np

from trainer.parameters import derived_seed


class Order:
    """The rows of a split in minibatches, shuffled anew each epoch.

    The permutation of an epoch depends on (seed, epoch) alone, so a resumed run finds its place
    from the epoch and the number of examples already seen in it. The legacy generator is used
    because numpy promises that its stream never changes.
    """

    def __init__(self, rows, minibatch_size, seed=0, shuffle=True):
        self.rows = rows
        self.minibatch_size = minibatch_size
        self.seed = seed
        self.shuffle = shuffle

    def __len__(self):
        return len(self.rows)

    def of_epoch(self, epoch):
        if not self.shuffle:
            return self.rows
        generator = np.random.RandomState(derived_seed(self.seed, "epoch", epoch))
        return self.rows[generator.permutation(len(self.rows))]

    def minibatches(self, epoch=0, offset=0):
        """Row indices of each minibatch of ``epoch`` behind its first ``offset`` examples."""
        rows = self.of_epoch(epoch)
        for start in range(offset, len(rows), self.minibatch_size):
            yield rows[start : start + self.minibatch_size]
