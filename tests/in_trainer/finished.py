"""Evaluate outputs of a finished model by their names: JSON on the standard input, JSON on the output.

The document holds ``model`` (a path), ``outputs`` (names) and ``feed``, {input: examples}, of sequences rows
of steps. Reported are each output's values. Run by the trainer's interpreter; it knows nothing of our code
but how variable lengths are fed.
"""

import json
import sys

import numpy as np

from trainer.columns import Padded
from trainer.engine import C, take_a_first_step
from trainer.feeding import value


def padded(rows):
    lengths = np.array([len(row) for row in rows])
    values = np.zeros((len(rows), lengths.max()) + np.shape(rows[0][0]), dtype=np.float32)
    for number, row in enumerate(rows):
        values[number, : len(row)] = row
    return Padded(values, lengths)


def outputs(document):
    model = C.load_model(document["model"])
    read = {name: padded(rows) for name, rows in document["feed"].items()}
    found = {}
    for name in document["outputs"]:
        node = C.combine([model.find_by_name(name)])
        feed = {variable: value(read[variable.name], C.cpu()) for variable in node.arguments}
        found[name] = node.eval(feed).tolist()
    return found


if __name__ == "__main__":
    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    take_a_first_step()
    json.dump(outputs(json.load(sys.stdin)), sys.stdout)
