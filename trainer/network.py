"""From the layers of a spec to a CNTK graph."""

from collections import OrderedDict

import numpy as np

from trainer.engine import C
from trainer.parameters import Maker
from trainer.parts import layers


class Network:
    """The graph of a job: what goes in, every named node, and what can be learned.

    ``variables`` maps each field of the data set that is fed to its input variable; ``nodes``
    maps the names of inputs and layers to graph nodes. Nodes are created in the spec's order,
    which CNTK's checkpoints rely on.
    """

    def __init__(self, spec, dataset):
        self.dataset = dataset
        self.variables = OrderedDict()
        self.nodes = OrderedDict()
        make = Maker(spec["training"]["seed"])
        for name, document in spec["inputs"].items():
            self.nodes[name] = self.scaled(document)
        for document in spec["network"]:
            make.layer = document["name"]
            node = self.built(make, document)
            self.nodes[document["name"]] = C.alias(node, name=document["name"])
        self.parameters = make.parameters
        self.statistics = make.statistics

    def variable(self, field):
        """The input variable that a field of the data set is fed to."""
        if field not in self.variables:
            column = self.dataset.column(field)
            self.variables[field] = C.input_variable(column.shape, is_sparse=column.sparse, name=field)
        return self.variables[field]

    def scaled(self, document):
        """An input's variable behind its shift and scale, if it has any."""
        x = self.variable(document["field"])
        if document["standardize"]:
            field = self.dataset.fields[document["field"]]
            mean, deviation = np.array(field["mean"]), np.array(field["std"])
            # A constant element carries nothing: it becomes 0 rather than a division by zero.
            shift, scale = mean, 1 / np.where(deviation > 0, deviation, 1)
            return (x - constant(shift, x.shape)) * constant(scale, x.shape)
        if document["shift"]:
            x = x - float(document["shift"])
        if document["scale"] != 1:
            x = x * float(document["scale"])
        return x

    def built(self, make, document):
        sources = document["inputs"] if "inputs" in document else [document["input"]]
        settings = {key: value for key, value in document.items() if key not in ("name", "input", "inputs")}
        return layers.build(settings, make, *[self.nodes[source] for source in sources])


def constant(values, shape):
    return C.constant(values.astype(np.float32).reshape(shape))
