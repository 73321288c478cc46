"""How many CPU threads a job trains with where neither its spec nor the service names a number.

Threads pay where a step has large matrix products or convolutions to share: what stands around these (Adam,
reading, the calls of CNTK) has one thread, and for each product that is shared all of them meet. With two
threads on two free cores (docs/performance.md), steps of 0.1 billion multiplications took 1.2 times as long,
ones of 0.8 and 1.0 billion 0.7 times; in between, the times of one network at two sizes of minibatch cross at
0.2 billion. Recurrences, whose threads meet at each step of a sequence, networks that read sparse fields, and
those that pool regions took longer with two, the last three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from jobs.dataset import DatasetSchema
from jobs.specs.caching import behind_the_cache
from jobs.specs.shapes import Plan, sources
from trainer.machine import KINDS

MULTIPLICATIONS_A_THREAD = 0.25e9
"""Of a training step, for each thread: what two need is above where they begin to gain."""
ONE_THREAD = {*KINDS["recurrence"], "roi_pooling"}
"""Layers that make a step longer with more threads."""
MOST = 4
"""Threads that are chosen at most. Only two were measured; a spec or the service may name more."""


def worthwhile(spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema) -> int:
    """How many threads a step of a spec's training keeps busy: 1 to ``MOST``.

    The spec is complete but for them, its layers in building order. ``schema`` has the fields of regions too.
    """
    alone = any(layer["type"] in ONE_THREAD for layer in spec["network"])
    sparse = any(schema.fields[entry["field"]].kind == "sparse" for entry in spec["inputs"].values())
    if alone or sparse:
        return 1
    found = multiplications(spec, planned, schema) / MULTIPLICATIONS_A_THREAD
    return max(1, min(MOST, int(found)))


def multiplications(spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema) -> float:
    """Multiplications of a training step in matrix products and convolutions, forth and back.

    A layer's weights are multiplied with what it takes in, once more for their gradient where they learn, and
    once more where something before it learns, for the gradient that is passed on. Of parts of base models
    only convolutions are known. Layers whose values are cached are not computed.
    """
    parameters = {layer.name: layer.parameter_shapes for layer in planned.layers}
    computed = {layer["name"] for layer in behind_the_cache(spec)["network"]} - set(spec["cached"])
    learned: set[str] = set()
    total = 0.0
    for layer in spec["network"]:
        name, taken = layer["name"], sources(layer)
        passed_on = not learned.isdisjoint(taken)
        shapes = parameters[layer["share"] or name]
        if shapes or passed_on:
            learned.add(name)
        node, first = planned.nodes[name], planned.nodes[taken[0]]
        steps = schema.fields[node.axis].count / max(schema.rows, 1) if node.axis else 1
        if name not in computed:
            continue
        if (base := planned.bases.get(name)) is not None:
            still, moved = base.multiplications(first.shape, layer["first"], layer["last"], layer["freeze"])
            total += ((1 + passed_on) * still + 3 * moved) * steps
        elif layer["type"] in PLACES:
            places = PLACES[layer["type"]](first.shape, node.shape)
            total += (2 + passed_on) * prod(shapes["W"]) * places * steps
    return float(spec["training"]["minibatch_size"] * total)


Shape = tuple[int, ...]

PLACES: Mapping[str, Callable[[Shape, Shape], int]] = {
    "dense": lambda taken, made: 1,
    "convolution": lambda taken, made: prod(made[1:]),
    "convolution_transpose": lambda taken, made: prod(taken[1:]),
}
"""How often a layer's weights are used for a row, or a step, from the shapes of what it takes and makes."""
