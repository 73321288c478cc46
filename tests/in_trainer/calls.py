"""Train with a learner's call as the engine makes it, and as it is shown: rows of JSON in, JSON out.

A row holds ``learner``, ``rate`` and ``shown``, the call as text, which is run as Python. Reported are
the parameters behind five steps of each. Run by the trainer's interpreter.
"""

import json
import sys

import numpy as np

from trainer.engine import IGNORE, C
from trainer.parts import learners


def trained(make):
    """The weights of a small regression behind five steps with the learner that ``make`` answers with."""
    random = np.random.RandomState(1)
    x, y = C.input_variable(4), C.input_variable(2)
    weights = C.parameter((4, 2), init=random.normal(size=(4, 2)).astype(np.float32))
    loss = C.squared_error(C.times(x, weights), y)
    trainer = C.Trainer(None, (loss, None), [make([weights])])
    for _ in range(5):
        trainer.train_minibatch(
            {
                x: random.normal(size=(8, 4)).astype(np.float32),
                y: random.normal(size=(8, 2)).astype(np.float32),
            }
        )
    return weights.value.tolist()


def report(row):
    def engine(parameters):
        return learners.build(row["learner"]).make(parameters, row["rate"])

    def shown(parameters):
        return eval(row["shown"], {"cntk": C, "IGNORE": IGNORE, "parameters": parameters})

    return [trained(engine), trained(shown)]


if __name__ == "__main__":
    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    json.dump([report(row) for row in json.load(sys.stdin)], sys.stdout)
