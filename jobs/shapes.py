"""Shapes and sizes of a network before CNTK builds it, from the layers' pure plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from jobs.dataset import DatasetSchema
from jobs.errors import Fault
from trainer.parts import PlanError, layers, learners

BASE_MEMORY = 85 * 1024**2
"""An imported trainer before it builds anything, in bytes (measured)."""


@dataclass(frozen=True)
class PlannedLayer:
    name: str
    shape: tuple[int, ...]
    parameter_shapes: Mapping[str, tuple[int, ...]]

    @property
    def parameters(self) -> int:
        """How many numbers the layer learns."""
        return sum(map(prod, self.parameter_shapes.values()))


@dataclass(frozen=True)
class Plan:
    """``shapes`` of all nodes by name; ``layers`` in building order."""

    shapes: Mapping[str, tuple[int, ...]]
    layers: Sequence[PlannedLayer]
    order: Sequence[int]
    """Positions of the layers in the spec, each behind the layers that it takes in."""

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)


def sources(layer: Mapping[str, Any]) -> list[str]:
    """Names of the nodes that a layer takes in."""
    return list(layer["inputs"]) if "inputs" in layer else [layer["input"]]


def plan(
    inputs: Mapping[str, tuple[int, ...] | None], network: Sequence[Mapping[str, Any]], faults: list[Fault]
) -> Plan:
    """Shapes of all layers whose inputs are known; what is wrong is added to ``faults``.

    Layers may stand in any order; a layer that waits for itself is named as part of a cycle.
    """
    shapes = {name: shape for name, shape in inputs.items() if shape is not None}
    planned: list[PlannedLayer] = []
    order: list[int] = []
    declared = {layer["name"] for layer in network} | set(inputs)
    # Names without a shape because something before them is wrong: that was said once already.
    unknown = {name for name, shape in inputs.items() if shape is None}
    for position, layer in enumerate(network):
        for source in sources(layer):
            if source not in declared:
                key = "inputs" if "inputs" in layer else "input"
                known = ", ".join(sorted(declared - {layer["name"]}))
                faults.append(
                    Fault(
                        f"/network/{position}/{key}",
                        "unknown_node",
                        f"no input or layer is named {source!r}; there are: {known}",
                    )
                )
                unknown.add(source)
    waiting = list(range(len(network)))
    while waiting:
        ready = [p for p in waiting if all(s in shapes or s in unknown for s in sources(network[p]))]
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
        if any(source not in shapes for source in sources(layer)):
            unknown.add(layer["name"])
            continue
        settings = {k: v for k, v in layer.items() if k not in ("name", "type", "input", "inputs")}
        try:
            made = layers[layer["type"]].plan(*[shapes[s] for s in sources(layer)], **settings)
        except PlanError as error:
            faults.append(Fault(f"/network/{position}", "shape", f"{layer['name']}: {error}"))
            unknown.add(layer["name"])
            continue
        shapes[layer["name"]] = made.shape
        planned.append(PlannedLayer(layer["name"], made.shape, made.parameters))
    return Plan(shapes, planned, order)


def estimate(spec: Mapping[str, Any], planned: Plan, schema: DatasetSchema) -> dict[str, Any]:
    """What a job will take: parameters, bytes of memory and of one checkpoint, and its layers."""
    weights = 4 * planned.parameters
    state = learners[spec["learner"]["type"]].facts["state"]
    activations = (
        4
        * spec["training"]["minibatch_size"]
        * (
            sum(prod(layer.shape) for layer in planned.layers)
            + sum(prod(field.shape) for field in schema.fields.values())
        )
    )
    return {
        "parameters": planned.parameters,
        # As measured at the peak, which is while saving: three times weights and learner state (the gradient
        # and the writer's copies), and each activation with its gradient and CNTK's workspace.
        "memory_bytes": BASE_MEMORY + 3 * weights * (1 + state) + 4 * activations,
        "checkpoint_bytes": weights * (1 + state),
        "minibatches_per_epoch": -(-schema.splits["train"].rows // spec["training"]["minibatch_size"]),
        "layers": [
            {"name": layer.name, "shape": list(layer.shape), "parameters": layer.parameters}
            for layer in planned.layers
        ],
    }
