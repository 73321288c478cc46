"""Heads: what the outputs of a network say about a row, as the losses that they were trained by know it."""

from collections import Counter, OrderedDict

from trainer.figures import ClassFigures, LabelFigures, ValueFigures
from trainer.parts import losses
from trainer.parts.regions import NAMES
from trainer.thresholds import DEFAULT

KINDS = ("classes", "labels", "values")
"""Kinds of target that say what an output means: scores of classes, scores of labels, numbers."""


class Head:
    """An output of the network, the field that it is compared with, and in which sense."""

    def __init__(self, name, kind, output, target, known, names):
        self.name = name
        """That of the output; with the target's behind it where two targets are told from one output."""
        self.kind = kind
        self.output = output
        self.target = target
        """As the spec names it: an input or a field, or a list of them that stand side by side."""
        self.known = known
        """Whether the data set has the target."""
        self.names = names
        """One name for each class, label or element."""
        self.thresholds = [DEFAULT] * len(names) if kind == "labels" else None
        self.thresholds_from = "default"
        """Or "given", by a number in the spec, or "tuned"."""

    def decide(self, thresholds, origin):
        """Take one threshold a label."""
        self.thresholds = [float(threshold) for threshold in thresholds]
        self.thresholds_from = origin

    def figures(self):
        if self.kind == "classes":
            return ClassFigures(self.names)
        if self.kind == "labels":
            return LabelFigures(self.names, self.thresholds)
        return ValueFigures(self.names)


def heads(spec, dataset):
    """The heads of a spec, one for each output, target and kind among the terms of its objective.

    What is said of an image's regions is none: there are many, and detections come of them all.
    """
    found = OrderedDict()
    for term in spec["objective"]:
        kind = losses[term["type"]].facts.get("target")
        if kind in KINDS and not of_regions(spec, term):
            found[(term["output"], targets(term), kind)] = term["target"]
    outputs = Counter(output for output, _, _ in found)
    pairs = Counter((output, target) for output, target, _ in found)
    made = []
    for (output, names, kind), target in found.items():
        name = output if outputs[output] == 1 else "%s:%s" % (output, "+".join(names))
        if pairs[(output, names)] > 1:
            name = "%s:%s" % (name, kind)
        fields = fields_of(spec, names)
        known = all(field in dataset.fields for field in fields)
        elements = [element_names(dataset.fitted[field]) for field in fields]
        if len(fields) > 1:
            elements = [within(field, own) for field, own in zip(fields, elements)]
        made.append(Head(name, kind, output, target, known, [one for own in elements for one in own]))
    return made


def of_regions(spec, term):
    return spec.get("regions") is not None and any(field in NAMES for field in fields_of(spec, targets(term)))


def fields_of(spec, names):
    """The fields behind inputs of these names, or of these names themselves."""
    return [spec["inputs"].get(one, {}).get("field", one) for one in names]


def targets(term):
    """The names that a term gives as its target."""
    return tuple(term["target"]) if isinstance(term["target"], list) else (term["target"],)


def within(field, names):
    """Elements of one of several fields: named after it."""
    return [field] if len(names) == 1 else ["%s.%s" % (field, name) for name in names]


def element_names(field):
    """Names of a field's classes or elements: its classes, its source columns, or else numbers from 0."""
    size = 1
    for extent in field["shape"]:
        size *= extent
    for names in (field.get("classes"), field.get("columns")):
        if names and len(names) == size:
            return list(names)
    return [str(k) for k in range(size)]
