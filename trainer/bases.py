"""Base models: networks that were trained before, opened node by node and built into new ones.

A model has been taken apart when it was imported: it holds no blocks, and every operation and every weight
has a name of its own.
"""

from collections import OrderedDict

import numpy as np

from trainer.checkpoints import sha256
from trainer.engine import C
from trainer.parts.pretrained import between, frozen


class BaseModel:
    """A model in CNTK's format: its operations and its weights (parameters and constants) by name."""

    def __init__(self, path):
        self.model = C.load_model(str(path))
        held = list(self.model.parameters) + list(self.model.constants)
        self.weights = OrderedDict((variable.uid, variable) for variable in held)
        """By uid, as an operation's inputs are known by."""
        self.nodes = OrderedDict((function.name, function) for function in operations(self.model))
        self.sources = OrderedDict(
            (name, [variable.owner.name for variable in function.inputs if variable.is_output])
            for name, function in self.nodes.items()
        )

    def value(self, uid):
        return np.ascontiguousarray(self.weights[uid].value, dtype=np.float32)


def operations(model):
    """The operations of a model, each behind those whose outputs it takes in.

    No recursion: networks are deeper than Python's stack.
    """
    found, done, begun = [], set(), set()
    waiting = [output.owner for output in model.outputs]
    while waiting:
        function = waiting[-1]
        owners = [variable.owner for variable in function.inputs if variable.is_output]
        missing = [owner for owner in owners if owner.uid not in done]
        if function.uid in done or not missing:
            waiting.pop()
            if function.uid not in done:
                done.add(function.uid)
                found.append(function)
        elif function.uid in begun:
            raise ValueError("the base model has a recurrence at %s: it is not feed-forward" % function.name)
        else:
            begun.add(function.uid)
            waiting.extend(missing)
    return found


class Bases:
    """The base models of a run directory, each opened once."""

    def __init__(self, run):
        self.run = run
        self.opened = {}

    def open(self, model_id, digest):
        """ValueError where the file is not the one that the spec was made for."""
        if model_id not in self.opened:
            path = self.run.base(model_id)
            if sha256(path) != digest:
                raise ValueError("the base model %s differs from the one submitted (its SHA-256)" % model_id)
            self.opened[model_id] = BaseModel(path)
        return self.opened[model_id]

    def graft(self, make, model_id, digest, *cut):
        return Graft(self.open(model_id, digest), make, *cut)


class Graft:
    """Part of a base model on its way into a network, as a layer of type ``pretrained`` says.

    Weights of frozen nodes become parameters that no learner is given; those of others become parameters
    and statistics of ``make``, under the names that they have in the base.
    """

    def __init__(self, base, make, first, last, freeze):
        self.base = base
        self.make = make
        self.first = first
        self.last = last
        self.names = between(base.sources, first, last)
        self.frozen = frozen(base.sources, first, last, freeze)
        self.held = {variable.uid for name in self.frozen for variable in base.nodes[name].inputs}
        """What frozen nodes take in: a weight among it stays, also where other nodes use it."""
        self.variables = {}

    def build(self, x):
        """The output of ``last`` where that of ``first`` (None: of the model's input) is ``x``."""
        made = {self.first: x}
        for name in self.names:
            function = self.base.nodes[name]
            made[name] = self.operation(function, [self.input(v, made, x) for v in function.inputs])
        return made[self.last]

    def input(self, variable, made, x):
        if variable.is_output:
            return made[variable.owner.name]
        return self.weight(variable.uid) if variable.uid in self.base.weights else x

    def weight(self, uid, statistic=False):
        if uid not in self.variables:
            held, value = self.base.weights[uid], self.base.value(uid)
            if statistic:
                self.variables[uid] = self.make.statistic(held.name, value.shape, value)
            elif uid in self.held or not held.is_parameter:
                self.variables[uid] = self.make.fixed(held.name, value)
            else:
                self.variables[uid] = self.make.parameter(held.name, value.shape, value)
        return self.variables[uid]

    def operation(self, function, inputs):
        """An operation of the base on inputs of the new network, under the same name."""
        still = function.name in self.frozen
        if function.op_name == "Dropout":
            # The random state of CNTK's own is lost in a checkpoint, so it gets a seed of ours.
            if still:
                return inputs[0]
            rate, seed = function.attributes["dropoutRate"], self.make.seed(function.name)
            return C.dropout(inputs[0], rate, seed=seed, name=function.name)
        if function.op_name == "BatchNormalization":
            if still:
                return self.normalized(function, inputs[0])
            # What it moves without a gradient is part of exact resume.
            inputs[3:] = [self.weight(variable.uid, statistic=True) for variable in function.inputs[3:]]
        return function.clone("share", dict(zip(function.inputs, inputs))).output

    def normalized(self, function, x):
        """Batch normalization as it is in inference: by means and variances that never move."""
        values = [self.base.value(variable.uid).astype(np.float64) for variable in function.inputs[1:5]]
        scale, bias, mean, variance = values
        factor = scale / np.sqrt(variance + function.attributes["epsilon"])
        shape = scale.shape + (1,) * (len(x.shape) - len(scale.shape))
        folded = [
            self.make.fixed("%s.%s" % (function.name, name), value.astype(np.float32).reshape(shape))
            for name, value in (("factor", factor), ("offset", bias - mean * factor))
        ]
        return C.plus(C.element_times(x, folded[0]), folded[1], name=function.name)
