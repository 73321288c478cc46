"""What a job will take, before CNTK builds it: parameters, memory, checkpoints.

Memory is what the trainer's process holds at its peak, pages of files aside, as limits.memory_bytes counts.
The factors were measured on CNTK, as differences between peaks of whole jobs (benchmarks/memory.py). It keeps
the values of most nodes until their gradients are there, and shares some buffers between nodes: no whole
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from jobs.dataset import DatasetSchema
from jobs.specs.shapes import Plan, sources
from trainer.parts import learners
from trainer.parts.regions import AXIS

Steps = Callable[[str | None], float]
"""How many values a row has along an axis; None: one."""

BASE = 31 * 1024**2
"""A trainer that has imported CNTK and trained next to nothing, in bytes."""
WEIGHTS, STATE = 4.3, 3.1
"""Times that parameters are held, with gradient and what a checkpoint is written from; and each number of the
learner's state for one."""
FED = 4.5
"""Times that numbers that are fed are held: read ahead, handed over, in use."""
NONE = {"type": "none"}
"""No activation."""
SPARSE_FED = 200
"""Numbers a row that stand for those of a sparse field."""
MADE = 2.2
"""Times that what a layer makes is held, with its gradient, where nothing else is known."""
FUNCTION = 1.0
"""And once more for a layer's own activation."""
OF_TAKEN = {"max_pooling": 1.5, "average_pooling": 1.5}
"""Times that what these layers take in is held, beside that."""
CONVOLUTIONS = ("convolution", "convolution_transpose")
TAKEN_AND_MADE = 1.5
"""Times that what convolutions take and make is held where they pass a gradient on: between what it is with
kernels of ours, and the more that it is where Intel's library turns pictures into an order of its own."""
RUNNING = {"lstm": 16.0, "gru": 11.0, "rnn": 5.0}
"""Times that what recurrences make is held: their gates and what lies between."""
ONE_RUNNING = {"lstm": 26.0, "gru": 28.0, "rnn": 6.0}
"""And what the largest of them needs while its gradient is computed; the others use it after it."""
EVALUATED, EVALUATED_RUNNING = 0.6, 2.1
"""Parts of all this, and of what the largest recurrence needs, that evaluation holds for a row of its own."""
EVALUATED_TOGETHER = 256
"""Rows, where minibatches of the training have no more and the network is not part of a base model."""


def a_row(spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema, steps: Steps) -> tuple[float, float]:
    """Numbers that CNTK holds for a row of a minibatch: in training, and beside that in evaluation."""
    total, largest, learned = 0.0, 0.0, set[str]()

    def size(name: str) -> float:
        node = planned.nodes[name]
        return prod(node.shape) * steps(node.axis)

    parameters = {layer.name: layer.parameters for layer in planned.layers}
    for layer in spec["network"]:
        name, kind, taken = layer["name"], layer["type"], sources(layer)
        made, takes = size(name), sum(size(source) for source in taken)
        if kind in RUNNING:
            total += RUNNING[kind] * made
            largest = max(largest, ONE_RUNNING[kind] * made)
        elif kind in CONVOLUTIONS and learned.intersection(taken):
            total += TAKEN_AND_MADE * (takes + made)
        else:
            total += MADE * made + OF_TAKEN.get(kind, 0) * takes
        if layer.get("activation", NONE) != NONE:
            total += FUNCTION * made
        # What comes of something learned has a gradient, which is passed on to it.
        if parameters[name] or layer["share"] is not None or learned.intersection(taken):
            learned.add(name)
    for field, count in fed(spec, schema).items():
        found = schema.fields[field]
        total += FED * (min(count, SPARSE_FED) if found.kind == "sparse" else count) * steps(found.axis)
    return total + largest, EVALUATED * total + EVALUATED_RUNNING * largest


def fed(spec: Mapping[str, Any], schema: DatasetSchema) -> dict[str, int]:
    """How many numbers an example the trainer feeds of each field that a spec names.

    What is only looked up in embeddings is fed as one number, the class's.
    """
    takers: dict[str, set[str]] = {}
    for layer in spec["network"]:
        for source in sources(layer):
            takers.setdefault(source, set()).add(layer["type"])
    found: dict[str, int] = {}
    for name, entry in spec["inputs"].items():
        field = schema.fields[entry["field"]]
        looked_up = field.kind == "categorical" and takers.get(name) == {"embedding"}
        found[entry["field"]] = found.get(entry["field"], 0) + (1 if looked_up else prod(field.shape))
    compared = [item["target"] for item in spec["objective"] + spec["metrics"]]
    named = [name for target in compared for name in (target if isinstance(target, list) else [target])]
    weights = [term.get(key) for term in spec["objective"] for key in ("example_weight", "element_weight")]
    for name in [*named, *weights]:
        if name in schema.fields and name not in spec["inputs"]:
            found[name] = prod(schema.fields[name].shape)
    return found


def estimate(spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema) -> dict[str, Any]:
    """What a job will take: parameters, bytes of memory and of one checkpoint, and its layers."""

    def packed(axis: str | None) -> float:
        """Steps a row that CNTK makes room for: it puts short sequences behind one another."""
        if axis is None:
            return 1.0
        field = schema.fields[axis]
        average = field.count / max(schema.rows, 1)
        return (average + max(field.max_length or 0, average)) / 2

    def proposed(axis: str | None) -> float:
        """Of an image that is evaluated, all proposals are looked at, not a choice as in training."""
        return float(schema.fields[AXIS].max_length or 0) if axis == AXIS else packed(axis)

    weights = 4 * planned.parameters
    state = learners[spec["learner"]["type"]].facts["state"]
    minibatch = max(1, min(spec["training"]["minibatch_size"], schema.splits["train"].rows))
    trained, evaluated = a_row(spec, planned, schema, packed)
    together = max(minibatch, EVALUATED_TOGETHER)
    if spec["regions"] is not None:
        together, evaluated = 1, a_row(spec, planned, schema, proposed)[1]
    elif any(layer["type"] == "pretrained" for layer in spec["network"]):
        together = minibatch
    held_out = max(
        (schema.splits[name].rows for name in ("valid", "test") if name in schema.splits), default=0
    )
    held = minibatch * trained + min(held_out, together) * evaluated
    return {
        "parameters": planned.parameters,
        "memory_bytes": round(BASE + weights * (WEIGHTS + STATE * state) + 4 * held),
        "checkpoint_bytes": weights * (1 + state),
        "minibatches_per_epoch": -(-schema.splits["train"].rows // minibatch),
        "layers": [
            {"name": layer.name, "shape": list(layer.shape), "parameters": layer.parameters}
            for layer in planned.layers
        ],
    }
