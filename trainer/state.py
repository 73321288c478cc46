"""Where the training loop stands: everything beside CNTK's own state that a resumed run needs."""

import numpy as np

from trainer.facts import jsonable
from trainer.files import read_json, write_json


def by_split(evaluation, group):
    """{split: figures} of one group, "losses" or "metrics", of an evaluation {split: {group: figures}}."""
    return {split: found[group] for split, found in evaluation.items()}


class State:
    """Counts and running sums. An epoch is counted when its evaluation is done.

    ``step`` minibatches and ``samples`` examples were trained in all, ``offset`` examples of
    the epoch under way, whose report sums are ``sums``. ``evaluation`` is the latest summary by
    split. ``best`` is the best value of the watched metric, with ``stale`` epochs since.
    """

    FIELDS = (
        "step",
        "samples",
        "epoch",
        "minibatch",
        "offset",
        "sums",
        "evaluation",
        "best",
        "stale",
        "stopped_early",
    )

    def __init__(self):
        self.step = 0
        self.samples = 0
        self.epoch = 0
        self.minibatch = 0
        self.offset = 0
        self.sums = None
        self.evaluation = {}
        self.best = None
        self.stale = 0
        self.stopped_early = False

    def advance(self, rows, sums):
        """Count one trained minibatch."""
        self.step += 1
        self.samples += len(rows)
        self.minibatch += 1
        self.offset += len(rows)
        self.sums = sums if self.sums is None else self.sums + sums

    def next_epoch(self):
        self.epoch += 1
        self.minibatch = 0
        self.offset = 0
        self.sums = None

    def save(self, path):
        """Not durable yet: that is for who makes a checkpoint of it."""
        document = {field: getattr(self, field) for field in self.FIELDS}
        document["sums"] = None if self.sums is None else [float(value) for value in self.sums]
        write_json(path, jsonable(document), durable=False)

    @classmethod
    def load(cls, path):
        state = cls()
        for field, value in read_json(path).items():
            setattr(state, field, value)
        if state.sums is not None:
            state.sums = np.array(state.sums, dtype=np.float64)
        return state
