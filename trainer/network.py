"""From the layers of a spec to a CNTK graph."""

import json
from collections import OrderedDict

import numpy as np

from trainer.augmenting import AugmentedColumn
from trainer.engine import C, axis_of, step_axis
from trainer.parameters import Maker
from trainer.parts import layers
from trainer.parts.layers import Codes
from trainer.parts.regions import REGIONS


class Network:
    """The graph of a job: what goes in, every named node, and what can be learned.

    ``variables`` maps each field of the data set that is fed, and how, to its input variable; ``columns``
    maps each variable to what it is fed from, ``fields`` those that a field is fed to to its name, and
    ``nodes`` the names of inputs and layers to graph nodes.
    Nodes are created in the spec's order, which CNTK's checkpoints rely on.
    """

    def __init__(self, spec, dataset, bases=None, features=()):
        """``bases`` are the run directory's base models, if the network has parts of any.

        ``features`` maps names of layers to columns that have their values: the layers are not built then,
        nor what only they need.
        """
        self.dataset = dataset
        self.inputs = spec["inputs"]
        self.seed = spec["training"]["seed"]
        self.variables = OrderedDict()
        self.columns = OrderedDict()
        self.fields = OrderedDict()
        self.nodes = OrderedDict()
        make = Maker(self.seed, bases)
        looked_up = self.looked_up(spec)
        for name, document in spec["inputs"].items():
            if name in looked_up:
                classes = dataset.column(document["field"]).shape[0]
                self.nodes[name] = Codes(self.variable(document["field"], coded=True), classes)
            else:
                self.nodes[name] = self.scaled(document)
        needed = needed_layers(spec, features)
        for document in spec["network"]:
            if document["name"] in features:
                self.nodes[document["name"]] = self.feed(document["name"], features[document["name"]])
                continue
            if document["name"] not in needed:
                continue
            make.begin(document["name"], document["share"])
            node = self.built(make, document)
            self.nodes[document["name"]] = C.alias(node, name=document["name"])
        self.parameters = make.parameters
        self.statistics = make.statistics
        self.inherited = make.inherited

    def looked_up(self, spec):
        """Categorical inputs that only embeddings take in: fed as codes, not as vectors of zeros and a one.

        The gradient is dense then, which every learner can follow.
        """
        kinds = {
            name: self.dataset.fields[document["field"]]["kind"] for name, document in spec["inputs"].items()
        }
        users = {name: set() for name in kinds}
        for document in spec["network"]:
            for source in sources(document):
                users.get(source, set()).add(document["type"])
        return {
            name for name, kind in kinds.items() if kind == "categorical" and users[name] == {"embedding"}
        }

    def variable(self, field, coded=False, augment=()):
        """The input variable that a field of the data set is fed to, as codes or augmented if told so."""
        key = (field, coded, json.dumps(augment, sort_keys=True))
        if key not in self.variables:
            column = self.dataset.column(field, coded)
            if augment:
                column = AugmentedColumn(column, field, self.dataset.fitted[field], augment, self.seed)
            others = sum(known == field for known in self.fields.values())
            self.variables[key] = self.feed("%s (%d)" % (field, others + 1) if others else field, column)
            self.fields[self.variables[key]] = field
        return self.variables[key]

    def field(self, target):
        """The field behind a target: that of the input of this name, or else the name itself."""
        return self.inputs[target]["field"] if target in self.inputs else target

    def target(self, name):
        """What a term compares with: a node as it is in the network, or else a field of the data set.

        An input that is looked up by its codes is compared as classes.
        """
        node = self.nodes.get(name)
        return self.variable(self.field(name)) if node is None or isinstance(node, Codes) else node

    def feed(self, name, column):
        """A new input variable that is fed from ``column``."""
        if column.axis is None:
            variable = C.input_variable(column.shape, is_sparse=column.sparse, name=name)
        else:
            variable = C.sequence.input_variable(
                column.shape, is_sparse=column.sparse, sequence_axis=step_axis(column), name=name
            )
        self.columns[variable] = column
        return variable

    def scaled(self, document):
        """An input's variable behind its channels' order, its shift and its scale, where it has any."""
        x = self.variable(document["field"], augment=document.get("augment", ()))
        if document["standardize"]:
            field = self.dataset.fitted[document["field"]]
            mean, deviation = np.array(field["mean"]), np.array(field["std"])
            # A constant element carries nothing: it becomes 0 rather than a division by zero.
            shift, scale = mean, 1 / np.where(deviation > 0, deviation, 1)
            x = (x - constant(shift, x.shape)) * constant(scale, x.shape)
        if document.get("channel_order") == "bgr":
            x = C.splice(*[C.slice(x, 0, channel, channel + 1) for channel in (2, 1, 0)], axis=0)
        if document["shift"]:
            x = x - by_channel(document["shift"], x.shape)
        if document["scale"] != 1:
            x = x * by_channel(document["scale"], x.shape)
        return x

    def built(self, make, document):
        taken = [self.nodes[source] for source in sources(document)]
        if layers[document["type"]].facts.get("sequence") != REGIONS:
            taken = along_one_axis(taken)
        common = ("name", "input", "inputs", "share")
        settings = {key: value for key, value in document.items() if key not in common}
        return layers.build(settings, make, *taken)


def sources(document):
    """Names of the nodes that a layer takes in."""
    return document["inputs"] if "inputs" in document else [document["input"]]


def needed_layers(spec, features):
    """The names of the layers that are built where some layers' values are known already."""
    network = {document["name"]: document for document in spec["network"]}
    if not features:
        return set(network)
    ahead = list(spec["outputs"])
    for item in spec["objective"] + spec["metrics"]:
        ahead.append(item["output"])
        ahead.extend(item["target"] if isinstance(item["target"], list) else [item["target"]])
    if spec.get("keep"):
        ahead.extend(spec["keep"]["values"] + spec["keep"]["pictures"])
    needed = set()
    while ahead:
        name = ahead.pop()
        if name in network and name not in features and name not in needed:
            needed.add(name)
            ahead.extend(sources(network[name]))
            ahead.extend([network[name]["share"]] if network[name]["share"] else [])
    return needed


def along_one_axis(nodes):
    """Nodes that fit each other: beside a sequence, what has one value a row goes to each step."""
    if len(nodes) == 1:
        return nodes
    sequence = next((node for node in nodes if axis_of(node) is not None), None)
    if sequence is None:
        return nodes
    return [node if axis_of(node) is not None else C.sequence.broadcast_as(node, sequence) for node in nodes]


def by_channel(numbers, shape):
    """One number for all elements, or one for each channel."""
    if not isinstance(numbers, list):
        return float(numbers)
    return constant(np.array(numbers), (len(numbers),) + (1,) * (len(shape) - 1))


def constant(values, shape):
    return C.constant(values.astype(np.float32).reshape(shape))
