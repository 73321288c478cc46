"""What a trainer holds for a row of a minibatch, told from the spec alone.

Memory is what the trainer's process holds at its peak, pages of files aside, as limits.memory_bytes counts.
The factors were measured on CNTK, as differences between peaks of whole jobs (benchmarks/memory.py). It keeps
the values of most nodes until their gradients are there, and shares some buffers between nodes: no whole
numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from jobs.dataset import DatasetSchema
from jobs.specs.caching import behind_the_cache, named
from jobs.specs.shapes import Plan, sources

Steps = Callable[[str | None], float]
"""How many values a row has along an axis; None: one."""

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
MAPS = 1.1
"""Times that a layer's maps (arrays of several axes) are held where they come of something learned: until
their gradients are there, which themselves share a few buffers."""
CONVOLUTIONS = ("convolution", "convolution_transpose")
CONVOLVED = 5.5
"""Times that what the largest of the convolutions that pass a gradient on takes and makes is held beside
that, for those buffers and for maps in the order that kernels read. The others use them after it."""
IN_ORDER = 1.8
"""And times that what each of them takes and makes is held where Intel's library turns it into an order of
its own: for a row of a minibatch, and again for one that is evaluated."""
OPERATIONS = {"Convolution": "convolution", "Pooling": "max_pooling"}
"""Of a base model, as the layers that they are."""
IN_PLACE = ("NoOp", "ReLU", "Dropout")
"""And those whose values take no further room, or that of what they take in; as biases do."""
RUNNING = {"lstm": 16.0, "gru": 11.0, "rnn": 5.0}
"""Times that what recurrences make is held: their gates and what lies between."""
ONE_RUNNING = {"lstm": 26.0, "gru": 28.0, "rnn": 6.0}
"""And what the largest of them needs while its gradient is computed; the others use it after it."""
EVALUATED, EVALUATED_RUNNING = 0.6, 2.1
"""Parts of all this, maps aside, and of what the largest recurrence needs, that evaluation holds for a row of
its own."""
EVALUATED_MAPS = 4.4
"""Times that it holds what the layer of the largest maps takes and makes, for each row that it has beyond a
minibatch's: it keeps none that it is done with, and uses what the training had."""


class Held:
    """Numbers that CNTK holds for a row of a minibatch, layer by layer.

    ``reorders``: no kernels of ours take maps as they are, so Intel's library does its part, as it always
    does where a convolution takes longer steps.
    """

    def __init__(self, reorders: bool) -> None:
        self._reorders = reorders
        self._total = self._maps = self._in_order = 0.0
        self._running = self._convolved = self._broadest = 0.0

    def fed(self, count: float) -> None:
        self._total += FED * count

    def recurrence(self, kind: str, made: float) -> None:
        self._total += RUNNING[kind] * made
        self._running = max(self._running, ONE_RUNNING[kind] * made)

    def vectors(self, made: float, *, activated: bool) -> None:
        """What a layer makes that has one axis."""
        self._total += (MADE + FUNCTION * activated) * made

    def maps(
        self,
        kind: str,
        takes: Sequence[float],
        made: float,
        *,
        passes_on: bool,
        activated: bool,
        longer: bool,
    ) -> None:
        """What a layer makes that has several axes; ``passes_on``: it comes of something learned, ``longer``:
        its steps are longer than one."""
        self._maps += (MAPS if passes_on else MADE + FUNCTION * activated) * made
        self._maps += OF_TAKEN.get(kind, 0) * sum(takes)
        self._broadest = max(self._broadest, max(takes, default=0) + made)
        self._reordered(kind, takes, made, longer)
        if kind in CONVOLUTIONS and passes_on:
            self._convolved = max(self._convolved, max(takes, default=0) + made)

    def frozen(self, kind: str, takes: Sequence[float], made: float, *, longer: bool) -> None:
        """What a node makes that has several axes and no gradient: kept until it was taken in."""
        self._broadest = max(self._broadest, max(takes, default=0) + made)
        self._convolved = max(self._convolved, max(takes, default=0) + made)
        self._reordered(kind, takes, made, longer)

    def _reordered(self, kind: str, takes: Sequence[float], made: float, longer: bool) -> None:
        if kind in CONVOLUTIONS and (self._reorders or longer):
            self._in_order += IN_ORDER * (max(takes, default=0) + made)

    def __call__(self) -> tuple[float, float, float]:
        """In training, beside that in evaluation, and beside both in evaluation for a row beyond a
        minibatch's."""
        trained = self._total + self._running + self._maps + CONVOLVED * self._convolved + self._in_order
        evaluated = EVALUATED * self._total + EVALUATED_RUNNING * self._running + self._in_order
        return trained, evaluated, EVALUATED_MAPS * self._broadest


def a_row(
    spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema, steps: Steps, reorders: bool
) -> tuple[float, float, float]:
    """What is held for a row, as ``Held`` tells it."""
    held, learned = Held(reorders), set[str]()
    spec = behind_the_cache(spec)

    def size(name: str) -> float:
        node = planned.nodes[name]
        return prod(node.shape) * steps(node.axis)

    parameters = {layer.name: layer.parameters for layer in planned.layers}
    for layer in spec["network"]:
        name, kind, taken = layer["name"], layer["type"], sources(layer)
        takes, made = [size(source) for source in taken], size(name)
        passes_on = bool(learned.intersection(taken))
        activated = layer.get("activation", NONE) != NONE
        if name in spec["cached"]:
            held.fed(made)
        elif kind in RUNNING:
            held.recurrence(kind, made)
        elif kind == "pretrained":
            of_a_base(held, layer, planned, passes_on, steps)
        elif len(planned.nodes[name].shape) > 1:
            longer = layer.get("strides", 1) not in (1, [1, 1])
            held.maps(kind, takes, made, passes_on=passes_on, activated=activated, longer=longer)
        else:
            held.vectors(made, activated=activated)
        # What comes of something learned has a gradient, which is passed on to it.
        if parameters[name] or layer["share"] is not None or passes_on:
            learned.add(name)
    for field, count in fed(spec, schema).items():
        found = schema.fields[field]
        held.fed((min(count, SPARSE_FED) if found.kind == "sparse" else count) * steps(found.axis))
    return held()


def of_a_base(held: Held, layer: Mapping[str, Any], planned: Plan, passes_on: bool, steps: Steps) -> None:
    """What a part of a base model holds, by its operations."""
    source = planned.nodes[sources(layer)[0]]
    cut = (layer["first"], layer["last"], layer["freeze"])
    base = planned.bases[layer["name"]]
    assert base is not None, "a plan without faults has it"
    for one in base.operations(source.shape, *cut, passes_on):
        takes = [prod(shape) * steps(source.axis) for shape in one.takes]
        made = prod(one.made) * steps(source.axis)
        if one.op in IN_PLACE or (one.op == "Plus" and one.parameters):
            continue
        kind = OPERATIONS.get(one.op, one.op)
        # The first is along the channels.
        longer = max(one.strides[1:], default=1) > 1
        if len(one.made) < 2:
            held.vectors(made, activated=False)
        elif one.frozen and not one.of_learned:
            held.frozen(kind, takes, made, longer=longer)
        else:
            held.maps(kind, takes, made, passes_on=one.of_learned, activated=True, longer=longer)


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
    compared = [name for item in spec["objective"] + spec["metrics"] for name in named(item)]
    weights = [term.get(key) for term in spec["objective"] for key in ("example_weight", "element_weight")]
    for name in [*compared, *weights]:
        if name in schema.fields and name not in spec["inputs"]:
            found[name] = prod(schema.fields[name].shape)
    return found
