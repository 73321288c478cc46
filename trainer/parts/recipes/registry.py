"""Recipes: from fields of a data set to the part of a plain spec that trains on them.

A recipe receives ``fields`` (name -> ``Field``), and if it has a second parameter ``bases`` (id -> ``Base``)
of the base models that its settings name. It answers with some of the spec's keys: inputs, network,
objective, metrics, a learner that serves. What stands beside the recipe in a spec replaces what the recipe
says under the same key. A recipe never knows CNTK, and nothing behind the expansion knows recipes.
"""

import re
from collections import namedtuple

from trainer.parts.registry import Registry

recipes = Registry("recipe")

Field = namedtuple("Field", "kind shape sequence classes mean std")
"""What a recipe may know of a field: as in the data set's schema."""

Base = namedtuple("Base", "nodes preprocessing")
"""What a recipe may know of a base model: the shapes of its nodes by name, and the shift, scale and
channel order that it wants of images."""


class RecipeError(Exception):
    """Settings that do not go together: the name of one of them, and what is wrong."""

    def __init__(self, setting, text):
        super(RecipeError, self).__init__(text)
        self.setting = setting


def identifier(text):
    """``text`` as a name that a spec may give."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)[:80]
    return name if re.match(r"[A-Za-z_]", name) else "_" + name


class Names:
    """Names for nodes that no field has: a term's target is found by its name, an input's first."""

    def __init__(self, fields):
        self.taken = set(fields)

    def new(self, wanted):
        """``wanted`` as a node's name, with underscores behind it where it is taken."""
        name = identifier(wanted)
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


class Stack:
    """Layers that are put on one another: ``top`` is the name of the newest node."""

    def __init__(self, fields):
        self.names = Names(fields)
        self.fields = fields
        self.inputs = {}
        self.layers = []
        self.top = None

    def put(self, name, kind, of=None, **settings):
        """A layer on ``of``, a node's name or a list of them; without it on the top. Its name."""
        name = self.names.new(name)
        source = self.top if of is None else of
        key = "inputs" if isinstance(source, list) else "input"
        self.layers.append(dict([("name", name), ("type", kind), (key, source)], **settings))
        self.top = name
        return name

    def input(self, field, name=None, **settings):
        """A field as an input of the network: numbers standardized unless told otherwise. Its name.

        It is called like the field: a target of that name is then the input, scaled as it is there.
        """
        name = field if name is None and field == identifier(field) else self.names.new(name or field)
        if self.fields[field].kind == "dense" and not settings:
            settings = {"standardize": True}
        self.inputs[name] = dict({"field": field}, **settings)
        self.top = name
        return name

    def together(self, names):
        """Several fields as one vector."""
        nodes = []
        for field in names:
            node = self.input(field)
            if len(names) > 1 and len(self.fields[field].shape) > 1:
                node = self.put(field + "_flat", "flatten")
            nodes.append(node)
        return self.put("joined", "splice", nodes) if len(nodes) > 1 else nodes[0]

    def hidden(self, sizes, activation, dropout):
        """A dense layer for each size, each followed by dropout where there is any."""
        for number, units in enumerate(sizes, 1):
            self.put("hidden_%d" % number, "dense", units=units, activation=activation)
            if dropout:
                self.put("dropped_%d" % number, "dropout", rate=dropout)
        return self.top


def adam(l2):
    """The learner that recipes propose."""
    return {"type": "adam", "alpha": 0.001, "l2": l2} if l2 else {"type": "adam", "alpha": 0.001}
