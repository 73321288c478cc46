"""What a spec has a job keep of its nodes' values: arrays, and what pictures are drawn of."""

from collections import OrderedDict

import numpy as np

from trainer.evaluation import evaluated
from trainer.layout import write_whole
from trainer.minibatches import Order
from trainer.packing import array_file, packed


def keep(model, wanted, order, run, stop):
    """Write <node>.npy and pictures.npz, each whole, of the first rows of ``order`` (None: of nothing).

    ``wanted`` is the spec's ``keep`` or None, ``run`` the run directory.
    """
    if wanted is None or order is None:
        return
    for name, values in first_values(model, wanted["values"], order, wanted["rows"], stop):
        write_whole(run.artifacts / (name + ".npy"), array_file(values))
    shown = OrderedDict(first_values(model, wanted["pictures"], order, wanted["images"], stop))
    if shown:
        write_whole(run.pictures, packed(shown))


def first_values(model, names, order, count, stop):
    """Name and values of each node, (rows, *shape) float32, for the first ``count`` rows of ``order``."""
    if not names:
        return
    rows = Order(order.rows[:count], order.minibatch_size, shuffle=False)
    nodes = {name: model.network.target(name) for name in names}
    found = {name: [] for name in names}
    for here, answers in evaluated(model, nodes, rows, stop):
        for name in names:
            found[name].append(answers[name].reshape((len(here),) + nodes[name].shape))
    for name in names:
        yield name, np.concatenate(found.pop(name))
