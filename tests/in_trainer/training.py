"""Run the real training loop on complete specs: rows of JSON on the standard input, JSON on the output.

A row holds ``spec``, ``dataset`` (its folder), ``initial`` ({parameter: values} to begin with),
``after``, the steps behind which the parameters are wanted, and perhaps ``ahead``, whether minibatches are
read ahead (without it, as the model sees fit). Reported are the parameters, the loss of every minibatch, each
split's summary before the training, and the statistics behind it. Run by the trainer's interpreter.
"""

import json
import sys
from pathlib import Path

import numpy as np

from trainer import model as model_room
from trainer.detection.regions import opened
from trainer.engine import C
from trainer.layout import DatasetDirectory
from trainer.loop import train
from trainer.minibatches import Order, permutation
from trainer.model import Model
from trainer.state import State


class Watch:
    """A callback that keeps the losses, and the parameters behind the steps that are asked for."""

    def __init__(self, model, after):
        self.model = model
        self.after = after
        self.losses = []
        self.parameters = {}

    def minibatch(self, state, loss):
        self.losses.append(loss)
        if state.step in self.after:
            self.parameters[state.step] = values(self.model.network.parameters)

    def epoch(self, state):
        state.next_epoch()


def values(variables):
    return {name: variable.value.tolist() for name, variable in variables.items()}


def report(row):
    spec = row["spec"]
    dataset = opened(spec, DatasetDirectory(Path(row["dataset"])))
    training = spec["training"]
    if "ahead" in row:
        model_room.worthwhile = lambda columns, minibatch_size: row["ahead"]
    model = Model(spec, dataset)
    for name, value in row.get("initial", {}).items():
        model.network.parameters[name].value = np.array(value, dtype=np.float32)
    summaries = {}
    for split in dataset.schema["splits"]:
        order = Order(dataset.rows(split), row.get("evaluation_minibatch", 256))
        summaries[split] = model.objective.summary(model.evaluate(order), len(order))
    watch = Watch(model, row["after"])
    order = Order(dataset.rows("train"), training["minibatch_size"], training["seed"], permutation(training))
    if row["after"]:
        train(model, order, State(), training["epochs"], [watch])
    return {
        "summaries": summaries,
        "losses": watch.losses,
        "parameters": watch.parameters,
        "statistics": values(model.network.statistics),
    }


if __name__ == "__main__":
    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    json.dump([report(row) for row in json.load(sys.stdin)], sys.stdout)
