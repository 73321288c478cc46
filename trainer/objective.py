"""From the terms and metrics of a spec to what is minimised and what is reported.

The number minimised is, over a minibatch of n examples,
    sum_i  w_i * sum_t  weight_t * c_t,i * loss_t,i  / n
with w the per-example weight and c the class weight of a term: CNTK's mean, not a weighted mean.
"""

from collections import OrderedDict

import numpy as np

from trainer.engine import C
from trainer.parts import losses, metrics
from trainer.parts.metrics import mean


class Objective:
    """``loss`` is the node to minimise; ``report`` holds side by side what is summed over a split."""

    def __init__(self, spec, network):
        reported = OrderedDict()
        weighted, plain = None, None
        reweighted = spec["example_weight"] is not None
        for term in spec["objective"]:
            target = target_node(network, term)
            value = losses.build(settings(term), network.nodes[term["output"]], target)
            share = value * float(term["weight"])
            plain = share if plain is None else plain + share
            if term["class_weights"]:
                reweighted = True
                share = share * class_weight(term, target)
            weighted = share if weighted is None else weighted + share
            reported[("losses", term["name"])] = value, mean
        if spec["example_weight"] is not None:
            weighted = weighted * network.variable(spec["example_weight"])
        if reweighted:
            reported[("losses", "total_unweighted")] = plain, mean
        for metric in spec["metrics"]:
            value = metrics.build(
                settings(metric), network.nodes[metric["output"]], target_node(network, metric)
            )
            reported[("metrics", metric["name"])] = value, metrics[metric["type"]].facts.get("finish", mean)
        self.loss = weighted
        reported[("losses", "total")] = weighted, mean
        reported.move_to_end(("losses", "total"), last=False)
        self.reported = [(key, width(node), finish) for key, (node, finish) in reported.items()]
        self.report = C.splice(*[C.reshape(node, (width(node),)) for node, _ in reported.values()], axis=0)

    def summary(self, sums, count):
        """{"losses": {name: value}, "metrics": {name: value}} from sums of ``report`` over examples."""
        found = {"losses": {}, "metrics": {}}
        start = 0
        for (group, name), size, finish in self.reported:
            found[group][name] = float(finish(sums[start : start + size], count))
            start += size
        return found


def width(node):
    """How many numbers an example a node holds."""
    return int(np.prod(node.shape, dtype=np.int64))


def settings(document):
    """A term's or metric's own parameters, without what every term has."""
    common = ("name", "output", "target", "weight", "class_weights")
    return {key: value for key, value in document.items() if key not in common}


def target_node(network, document):
    """A target is an input of the network, as scaled there, or else a field of the data set."""
    if document["target"] in network.nodes:
        return network.nodes[document["target"]]
    return network.variable(document["target"])


def class_weight(term, target):
    """Per example: the weight of its class."""
    weights = np.array(term["class_weights"], dtype=np.float32)
    return C.reduce_sum(target * C.constant(weights))
