"""Base models: networks that were trained before, opened node by node and built into new ones.

Blocks are taken apart, since a layer may begin or end inside of one; the last operation of a block that
has a name is called by it.
"""

from collections import Counter, OrderedDict

import numpy as np

from trainer.checkpoints import sha256
from trainer.engine import C
from trainer.parts.pretrained import between, frozen


class BaseNode:
    """One operation of a base model: ``sources`` says for each of its inputs which node or variable it is."""

    def __init__(self, function, sources):
        self.function = function
        self.sources = sources
        self.name = function.name


class BaseModel:
    """A model in CNTK's format: ``nodes`` by name in topological order, ``values`` of weights by uid."""

    def __init__(self, path):
        self.model = C.load_model(str(path))
        held = list(self.model.parameters) + list(self.model.constants)
        self.values = OrderedDict((variable.uid, variable) for variable in held)
        self.made = {}
        self.order = []
        for output in self.model.outputs:
            self.walk(output.owner, {})
        self.nodes = OrderedDict(zip(own_names((n.name, n.function.uid) for n in self.order), self.order))
        for name, node in self.nodes.items():
            node.name = name
        self.weights = self.named_weights()
        """What each parameter and constant is called, by uid; no two are called alike."""

    def walk(self, function, outer):
        """Add a function behind what it depends on; ``outer`` is what placeholders of a block stand for.

        No recursion but into blocks: networks are deeper than Python's stack.
        """
        waiting, begun = [function], set()
        while waiting:
            function = waiting[-1]
            if function.uid in self.made:
                waiting.pop()
                continue
            owners = [variable.owner for variable in function.inputs if variable.is_output]
            missing = [owner for owner in owners if owner.uid not in self.made]
            if not missing:
                waiting.pop()
                self.made[function.uid] = self.node(function, outer)
            elif function.uid in begun:
                called = function.name or function.uid
                raise ValueError(
                    "the model has a recurrence at %s; only feed-forward ones can be used" % called
                )
            else:
                begun.add(function.uid)
                waiting.extend(missing)

    def node(self, function, outer):
        sources = [
            self.made[variable.owner.uid] if variable.is_output else outer.get(variable.uid, variable)
            for variable in function.inputs
        ]
        if not function.is_block:
            self.order.append(BaseNode(function, sources))
            return self.order[-1]
        of = {variable.uid: source for variable, source in zip(function.inputs, sources)}
        inner = {
            placeholder.uid: of[outside.uid] for placeholder, outside in function.block_arguments_mapping
        }
        root = function.block_root.root_function or function.block_root
        self.walk(root, inner)
        node = self.made[root.uid]
        node.name = node.name or function.name
        return node

    def named_weights(self):
        """By its own name where only one has it, else behind the name of the first node that uses it."""
        users = OrderedDict()
        for node in self.order:
            for source in node.sources:
                if not isinstance(source, BaseNode) and source.uid in self.values:
                    users.setdefault(source.uid, node)
        times = Counter(self.values[uid].name for uid in users)
        names = []
        for uid, node in users.items():
            own = self.values[uid].name or uid
            names.append((own if times[own] == 1 else "%s.%s" % (node.name, own), uid))
        return dict(zip(users, own_names(names)))

    def value(self, uid):
        return np.ascontiguousarray(self.values[uid].value, dtype=np.float32)


def own_names(named):
    """One name for each (name, uid): the name, or where it is none or another's too, the uid with it."""
    named = list(named)
    times = Counter(name for name, _ in named)
    return [name if name and times[name] == 1 else ".".join(filter(None, (name, uid))) for name, uid in named]


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
    and statistics of ``make``, named as in ``BaseModel.weights``.
    """

    def __init__(self, base, make, first, last, freeze):
        self.base = base
        self.make = make
        self.first = first
        self.last = last
        sources = {
            name: [s.name for s in node.sources if isinstance(s, BaseNode)]
            for name, node in base.nodes.items()
        }
        self.names = between(sources, first, last)
        self.frozen = frozen(sources, first, last, freeze)
        self.held = {
            s.uid for name in self.frozen for s in base.nodes[name].sources if not isinstance(s, BaseNode)
        }
        """Weights that a frozen node uses, by uid; others may use them, too."""
        self.variables = {}

    def build(self, x):
        """The output of ``last`` where that of ``first`` (None: of the model's input) is ``x``."""
        made = {self.first: x}
        for name in self.names:
            node = self.base.nodes[name]
            made[name] = self.operation(node, [self.input(source, made, x) for source in node.sources])
        return made[self.last]

    def input(self, source, made, x):
        if isinstance(source, BaseNode):
            return made[source.name]
        return self.weight(source.uid) if source.uid in self.base.values else x

    def weight(self, uid, statistic=False):
        if uid not in self.variables:
            name, value = self.base.weights[uid], self.base.value(uid)
            if statistic:
                self.variables[uid] = self.make.statistic(name, value.shape, value)
            elif uid in self.held or not self.base.values[uid].is_parameter:
                self.variables[uid] = self.make.fixed(name, value)
            else:
                self.variables[uid] = self.make.parameter(name, value.shape, value)
        return self.variables[uid]

    def operation(self, node, inputs):
        """The operation of a node on inputs of the new network, under the node's name."""
        function = node.function
        if function.op_name == "Dropout":
            # The random state of CNTK's own is lost in a checkpoint, so it gets a seed of ours.
            if node.name in self.frozen:
                return inputs[0]
            rate, seed = function.attributes["dropoutRate"], self.make.seed(node.name)
            return C.dropout(inputs[0], rate, seed=seed, name=function.name)
        if function.op_name == "BatchNormalization":
            if node.name in self.frozen:
                return self.normalized(node, inputs[0])
            # What it moves without a gradient is part of exact resume.
            inputs[3:] = [self.weight(source.uid, statistic=True) for source in node.sources[3:]]
        return function.clone("share", dict(zip(function.inputs, inputs))).output

    def normalized(self, node, x):
        """Batch normalization as it is in inference: by means and variances that never move."""
        scale, bias, mean, variance = (
            self.base.value(source.uid).astype(np.float64) for source in node.sources[1:5]
        )
        factor = scale / np.sqrt(variance + node.function.attributes["epsilon"])
        shape = scale.shape + (1,) * (len(x.shape) - len(scale.shape))
        folded = [
            self.make.fixed("%s.%s" % (node.name, name), value.astype(np.float32).reshape(shape))
            for name, value in (("factor", factor), ("offset", bias - mean * factor))
        ]
        return C.plus(C.element_times(x, folded[0]), folded[1], name=node.function.name)
