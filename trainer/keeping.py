"""What a spec has a job keep of its nodes' values: arrays, and what pictures are drawn of."""

from collections import OrderedDict

import numpy as np

from trainer.evaluation import evaluated, together
from trainer.files import write_whole
from trainer.minibatches import Order
from trainer.packing import array_file, packed


def keep(model, wanted, order, run, stop):
    """Write <node>.npy and pictures.npz, each whole, of the first rows of ``order`` (None: there are none).

    ``wanted`` is the spec's ``keep`` or None, ``run`` the run directory.
    """
    if wanted is None:
        return
    evaluated_rows = np.array([], dtype=np.int64) if order is None else order.rows
    images = wanted["images"]
    shown_rows = np.array(images) if isinstance(images, list) else evaluated_rows[:images]
    for name, values in values_of(model, wanted["values"], evaluated_rows[: wanted["rows"]], stop):
        write_whole(run.artifacts / (name + ".npy"), array_file(values), durable=False)
    shown = OrderedDict(values_of(model, wanted["pictures"], shown_rows, stop))
    if shown:
        write_whole(run.pictures, packed(shown), durable=False)


def values_of(model, names, rows, stop):
    """Name and values of each node, (rows, *shape) float32, if there are any rows."""
    if not names or not len(rows):
        return
    order = Order(rows, together(model.network.dataset, model.spec))
    nodes = {name: model.network.target(name) for name in names}
    found = {name: [] for name in names}
    for here, answers in evaluated(model, nodes, order, stop):
        for name in names:
            found[name].append(answers[name].reshape((len(here),) + nodes[name].shape))
    for name in names:
        yield name, np.concatenate(found.pop(name))
