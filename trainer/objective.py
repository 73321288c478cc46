"""From the terms and metrics of a spec to what is minimised and what is reported.

The number minimised is, over a minibatch of n examples,
    sum_i  w_i * sum_t  weight_t * c_t,i * loss_t,i  / n
with w the per-example weight and c the class weight of a term: CNTK's mean, not a weighted mean.
"""

from collections import OrderedDict

import numpy as np

from trainer.engine import C
from trainer.parts import losses, metrics


class Objective:
    """``loss`` is the node to minimise; ``report`` holds one element a reported number."""

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
            reported[("losses", term["name"])] = value, None
        if spec["example_weight"] is not None:
            weighted = weighted * network.variable(spec["example_weight"])
        if reweighted:
            reported[("losses", "total_unweighted")] = plain, None
        for metric in spec["metrics"]:
            value = metrics.build(
                settings(metric), network.nodes[metric["output"]], target_node(network, metric)
            )
            reported[("metrics", metric["name"])] = value, metrics[metric["type"]].facts.get("finish")
        self.loss = weighted
        self.finishes = OrderedDict([(("losses", "total"), None)])
        self.finishes.update((key, finish) for key, (_, finish) in reported.items())
        columns = [weighted] + [value for value, _ in reported.values()]
        self.report = C.splice(*[C.reshape(column, (1,)) for column in columns], axis=0)

    def summary(self, sums, count):
        """{"losses": {name: mean}, "metrics": {name: value}} from sums of ``report`` over examples."""
        found = {"losses": {}, "metrics": {}}
        for (group, name), total, finish in zip(self.finishes, sums, self.finishes.values()):
            mean = float(total) / count
            found[group][name] = finish(mean) if finish else mean
        return found


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
