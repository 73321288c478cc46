"""From the terms and metrics of a spec to what is minimised and what is reported.

A term's loss has a value for each example, which is a row or, where its output is a sequence, a
step. The number minimised over a minibatch is the sum over terms of
    weight * sum_i(w_i * c_i * loss_i) / n
with w the example's weight and c that of its class; n is the number of the term's examples, or
with ``weighted_mean`` the sum of w_i * c_i.
"""

from collections import OrderedDict

import numpy as np

from trainer.engine import C, axis_of, step_axis
from trainer.normalizer import Normalizer
from trainer.parts import losses, metrics
from trainer.parts.metrics import mean


class Tally:
    """Numbers of each row that are summed over minibatches and splits, side by side in one node."""

    def __init__(self):
        self.nodes = []
        self.width = 0
        self.steps = {}
        """Where the number of steps stands, by axis."""

    def add(self, node):
        """The place of a node's numbers; those of a sequence's steps are summed row by row."""
        row = of_rows(node)
        size = int(np.prod(row.shape, dtype=np.int64))
        self.nodes.append(C.reshape(row, (size,)))
        self.width += size
        return slice(self.width - size, self.width)

    def count(self, node):
        """The place of the number of a node's steps; None where it has a value a row."""
        axis = axis_of(node)
        if axis is None:
            return None
        if axis.name not in self.steps:
            self.steps[axis.name] = self.add(C.ones_like(C.reduce_sum(node)))
        return self.steps[axis.name]

    def report(self):
        return C.splice(*self.nodes, axis=0)


def of_rows(node):
    """A node with one value a row: the sum over the steps of a sequence."""
    return node if axis_of(node) is None else C.sequence.reduce_sum(node)


class Term:
    """Where the sums of one term stand."""

    def __init__(self, document, plain, examples, weighted, divisor):
        self.name = document["name"]
        self.weight = float(document["weight"])
        self.plain = plain
        self.examples = examples
        self.weighted = weighted
        self.divisor = divisor


class Objective:
    """``loss`` is the node to minimise; ``report`` holds side by side what is summed over a split."""

    def __init__(self, spec, network):
        self.network = network
        tally = Tally()
        self.terms = []
        self.reweighted = False
        self.loss = None
        for document in spec["objective"]:
            share = self.term(document, tally)
            self.loss = share if self.loss is None else self.loss + share
        self.metrics = OrderedDict(
            (document["name"], self.metric(document, tally)) for document in spec["metrics"]
        )
        self.report = tally.report()

    def term(self, document, tally):
        """What a term adds to the number of each row that is minimised."""
        target = target_node(self.network, document)
        given = settings(document)
        if given.get("element_weight") is not None:
            given["element_weight"] = self.network.target(given["element_weight"])
        value = losses.build(given, self.network.nodes[document["output"]], target)
        weights = self.weights(document, target, value)
        plain, examples = tally.add(value), tally.count(value)
        weighted, divisor = plain, examples
        by_weights = document["normalization"] == "weighted_mean" and weights is not None
        if weights is not None:
            self.reweighted = True
            value = value * weights
            weighted = tally.add(value)
            if by_weights:
                divisor = tally.add(weights)
        self.terms.append(Term(document, plain, examples, weighted, divisor))
        share = of_rows(value) * float(document["weight"])
        if by_weights or examples is not None:
            normalizer = self.normalizer(document, value, by_weights)
            share = share * self.network.feed("normalizer of " + document["name"], normalizer)
        return share

    def weights(self, document, target, value):
        """The weight of each example of a term, or None where all are 1."""
        weights = None
        if document["example_weight"] is not None:
            weights = self.network.variable(document["example_weight"])
            if axis_of(weights) is None and axis_of(value) is not None:
                weights = C.sequence.broadcast_as(weights, value)
        if document["class_weights"]:
            of_class = class_weight(document, target)
            weights = of_class if weights is None else weights * of_class
        return weights

    def normalizer(self, document, value, by_weights):
        """The column of rows / n of a term."""
        dataset = self.network.dataset
        on_axis = (column for column in self.network.columns.values() if column.axis is not None)
        axis = axis_of(value)
        sequence = None
        if axis is not None:
            sequence = next(column for column in on_axis if step_axis(column).name == axis.name)
        if not by_weights:
            return Normalizer(sequence)
        weight, target, class_weights = document["example_weight"], None, None
        if document["class_weights"]:
            target = dataset.column(self.network.field(document["target"]))
            class_weights = np.array(document["class_weights"], dtype=np.float32).astype(np.float64)
        return Normalizer(sequence, dataset.column(weight) if weight else None, class_weights, target)

    def metric(self, document, tally):
        """How a metric follows from the sums, and the places of its sums and of its number of examples."""
        value = metrics.build(
            settings(document), self.network.nodes[document["output"]], target_node(self.network, document)
        )
        finish = metrics[document["type"]].facts.get("finish", mean)
        return finish, tally.add(value), tally.count(value)

    def total(self, sums, rows):
        """The number that is minimised, from sums of ``report`` over so many rows."""
        found = 0.0
        for term in self.terms:
            found += term.weight * ratio(sums, term.weighted, term.divisor, rows)
        return found

    def summary(self, sums, rows):
        """{"losses": {name: value}, "metrics": {name: value}} from sums of ``report`` over so many rows."""
        found = OrderedDict(total=float(self.total(sums, rows)))
        for term in self.terms:
            found[term.name] = ratio(sums, term.plain, term.examples, rows)
        if self.reweighted:
            found["total_unweighted"] = sum(term.weight * found[term.name] for term in self.terms)
        measured = {
            name: float(finish(sums[place], count_of(sums, examples, rows)))
            for name, (finish, place, examples) in self.metrics.items()
        }
        return {"losses": found, "metrics": measured}


def count_of(sums, place, rows):
    """The number that a mean is over: at a place among the sums, or else that of the rows."""
    return rows if place is None else sums[place.start]


def ratio(sums, place, divisor, rows):
    count = count_of(sums, divisor, rows)
    # A part of a split may hold nothing of any weight.
    return float(sums[place.start] / count) if count else 0.0


def settings(document):
    """A term's or metric's own parameters, without what every term has."""
    common = ("name", "output", "target", "weight", "class_weights", "example_weight", "normalization")
    return {key: value for key, value in document.items() if key not in common}


def target_node(network, document):
    """A node of the network, an input as scaled there, or else a field; several fields side by side."""
    if isinstance(document["target"], list):
        parts = [network.target(name) for name in document["target"]]
        return C.splice(*[C.reshape(part, (int(np.prod(part.shape)),)) for part in parts], axis=0)
    return network.target(document["target"])


def class_weight(term, target):
    """Per example: the weight of its class."""
    weights = np.array(term["class_weights"], dtype=np.float32)
    return C.reduce_sum(target * C.constant(weights))
