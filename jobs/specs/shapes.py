"""Shapes and sizes of a network before CNTK builds it, from the layers' pure plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from jobs.base_models.shapes import Base
from jobs.errors import Fault
from jobs.specs.structure import nearest
from trainer.parts import PlanError, layers
from trainer.parts.regions import REGIONS

AXIS_END = 2**31
"""CNTK counts along an axis in 32 bits, with a sign."""


@dataclass(frozen=True)
class Node:
    """What an input or a layer yields."""

    shape: tuple[int, ...]
    """Of one row, or of one step where there is an axis."""
    axis: str | None = None
    """Name of the field whose steps it has a value for; None: one value a row."""


@dataclass(frozen=True)
class PlannedLayer:
    name: str
    shape: tuple[int, ...]
    parameter_shapes: Mapping[str, tuple[int, ...]]
    """Of its own parameters; a layer that shares another's has none."""

    @property
    def parameters(self) -> int:
        """How many numbers the layer learns."""
        return sum(map(prod, self.parameter_shapes.values()))


@dataclass(frozen=True)
class Plan:
    """``nodes`` of all inputs and layers by name; ``layers`` in building order."""

    nodes: Mapping[str, Node]
    layers: Sequence[PlannedLayer]
    order: Sequence[int]
    """Positions of the layers in the spec, each behind the layers that it takes in or shares."""
    bases: Mapping[str, Base | None] = field(default_factory=dict)
    """The base model of each layer that is part of one."""

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)


def sources(layer: Mapping[str, Any]) -> list[str]:
    """Names of the nodes that a layer takes in."""
    return list(layer["inputs"]) if "inputs" in layer else [layer["input"]]


def plan(
    inputs: Mapping[str, Node | None],
    network: Sequence[Mapping[str, Any]],
    faults: list[Fault],
    bases: Mapping[str, Base | None] | None = None,
) -> Plan:
    """Shapes of all layers whose inputs are known; what is wrong is added to ``faults``.

    ``bases`` has the base model of each layer that is part of one, None where that is not known.
    Layers may stand in any order; a layer that waits for itself is named as part of a cycle.
    """
    nodes = {name: node for name, node in inputs.items() if node is not None}
    planned: dict[str, PlannedLayer] = {}
    order: list[int] = []
    # Names without a node because something before them is wrong: that was said once already.
    unknown = {name for name, node in inputs.items() if node is None}
    unknown |= undeclared(inputs, network, faults)
    bases = bases or {}
    waiting = list(range(len(network)))
    while waiting:
        known = nodes.keys() | unknown
        ready = [position for position in waiting if _awaited(network[position]) <= known]
        if not ready:
            names = ", ".join(network[p]["name"] for p in waiting)
            faults.append(
                Fault(
                    f"/network/{waiting[0]}",
                    "cycle",
                    f"these layers wait for one another: {names}; a network may not have a cycle",
                )
            )
            break
        position = ready[0]
        waiting.remove(position)
        order.append(position)
        layer = network[position]
        if _awaited(layer) & unknown or bases.get(layer["name"], layer) is None:
            unknown.add(layer["name"])
            continue
        try:
            taken = [(source, nodes[source]) for source in sources(layer)]
            node, parameters = _planned(layer, taken, bases.get(layer["name"]))
            _require_countable(node.shape, parameters)
            if layer["share"] is not None:
                _require_shareable(layer, parameters, network, planned)
                parameters = {}
        except PlanError as error:
            faults.append(Fault(f"/network/{position}", "shape", f"{layer['name']}: {error}"))
            unknown.add(layer["name"])
            continue
        nodes[layer["name"]] = node
        planned[layer["name"]] = PlannedLayer(layer["name"], node.shape, parameters)
    return Plan(nodes, list(planned.values()), order, bases)


def _require_countable(shape: Sequence[int], parameters: Mapping[str, tuple[int, ...]]) -> None:
    """PlanError for shapes with an axis that is too long."""
    for what, axes in {"its output": shape, **parameters}.items():
        if max(axes, default=0) >= AXIS_END:
            size = " x ".join(f"{axis:,}" for axis in axes)
            raise PlanError(f"{what} would be {size}; an axis has at most {AXIS_END - 1:,} elements")


def _awaited(layer: Mapping[str, Any]) -> set[str]:
    """The nodes that must be there before a layer is built."""
    shared = {layer["share"]} if layer["share"] is not None else set()
    return {*sources(layer), *shared}


def undeclared(
    inputs: Mapping[str, object], network: Sequence[Mapping[str, Any]], faults: list[Fault]
) -> set[str]:
    """Names that layers take in or share and that nothing has; each is a fault."""
    layers_there = {layer["name"] for layer in network}
    found_nowhere = set()
    for position, layer in enumerate(network):
        key = "inputs" if "inputs" in layer else "input"
        found = [(key, source, layers_there | set(inputs), "input or layer") for source in sources(layer)]
        if layer["share"] is not None:
            found.append(("share", layer["share"], layers_there, "layer"))
        for place, name, declared, what in found:
            if name not in declared:
                known = sorted(declared - {layer["name"]})
                detail = f"no {what} is named {name!r}; {nearest(name, known) if known else 'there is none'}"
                faults.append(Fault(f"/network/{position}/{place}", "unknown_node", detail))
                found_nowhere.add(name)
    return found_nowhere


def settings(layer: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's own parameters, without what every layer has."""
    common = ("name", "type", "input", "inputs", "share")
    return {key: value for key, value in layer.items() if key not in common}


def _planned(
    layer: Mapping[str, Any], taken: Sequence[tuple[str, Node]], base: Base | None
) -> tuple[Node, Mapping[str, tuple[int, ...]]]:
    part = layers[layer["type"]]
    context = {} if base is None else {"base": base}
    made = part.plan(*[node.shape for _, node in taken], **context, **settings(layer))
    axis = _common_axis(taken)
    role = part.facts.get("sequence")
    if role is not None and axis is None:
        raise PlanError(f"{part.name} runs over a sequence, but {taken[-1][0]!r} has one value a row")
    if role == REGIONS and (taken[0][1].axis is not None or taken[1][1].axis is None):
        raise PlanError(
            f"{part.name} takes one value a row, then a sequence of regions; here {taken[0][0]!r} has "
            f"one value a {_along(taken[0][1].axis)} and {taken[1][0]!r} one a {_along(taken[1][1].axis)}"
        )
    return Node(made.shape, None if role == "ends" else axis), made.parameters


def _along(axis: str | None) -> str:
    return "row" if axis is None else "step"


def _common_axis(taken: Sequence[tuple[str, Node]]) -> str | None:
    """The axis of all sequences that a layer takes in; what has one value a row goes to each step."""
    along = [(name, node.axis) for name, node in taken if node.axis is not None]
    for name, axis in along[1:]:
        if axis != along[0][1]:
            raise PlanError(
                f"{along[0][0]!r} has a value for each step of {along[0][1]!r} and {name!r} for each step of "
                f"{axis!r}, and their lengths differ; make each one vector first, by a layer such as last or "
                "sequence_mean"
            )
    return along[0][1] if along else None


def _require_shareable(
    layer: Mapping[str, Any],
    parameters: Mapping[str, tuple[int, ...]],
    network: Sequence[Mapping[str, Any]],
    planned: Mapping[str, PlannedLayer],
) -> None:
    """PlanError unless the layer that is shared is of one kind with this one, and has parameters to share."""
    owner = next(other for other in network if other["name"] == layer["share"])
    if owner["share"] is not None:
        raise PlanError(f"{owner['name']!r} itself shares those of {owner['share']!r}; share that one")
    if "base" in layers[layer["type"]].facts and settings(owner) != settings(layer):
        raise PlanError(
            f"it shares the parameters of {owner['name']!r}, so both must be the same part of a model"
        )
    if owner["type"] != layer["type"] or not parameters:
        raise PlanError(
            f"it shares the parameters of {owner['name']!r}, which is a layer of type {owner['type']}; "
            "both must be of one type, and of one that has parameters"
        )
    theirs = planned[owner["name"]].parameter_shapes
    if dict(theirs) != dict(parameters):
        raise PlanError(
            f"its parameters are {_listed(parameters)} and those of {owner['name']!r}, which it shares, are "
            f"{_listed(theirs)}; inputs and settings must be alike"
        )


def _listed(parameters: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {' x '.join(map(str, shape)) or '1'}" for name, shape in parameters.items())
