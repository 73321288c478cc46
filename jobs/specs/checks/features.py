"""Nodes whose values no learner moves: where it pays, they are computed once and cached."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from jobs.base_models.shapes import Base
from jobs.specs.checks.draft import Draft
from jobs.specs.shapes import Plan, sources
from jobs.specs.structure import nearest
from trainer.parts import layers
from trainer.parts.pretrained import frozen

BYTES = 4 * 1024**3
"""Of values that are cached without being asked for."""


def named(draft: Draft) -> None:
    """Only layers are cached."""
    names = [layer["name"] for layer in draft.spec["network"]]
    for position, name in enumerate(draft.spec["cached"] or ()):
        if name not in names:
            detail = f"no layer is named {name!r}; {nearest(name, names)}"
            draft.fault(f"/cached/{position}", "unknown_node", detail)


def cached(draft: Draft, planned: Plan, bases: Mapping[str, Base | None]) -> None:
    """Which nodes are cached: those named, or else the last ones behind base models that nothing moves."""
    moved = _moved(draft, planned, bases)
    given = draft.spec["cached"]
    if given is None:
        found = sorted(_used(draft, moved) & (planned.nodes.keys() - moved - draft.spec["inputs"].keys()))
        found = [name for name in found if _behind_base(draft, name)]
        size = 4 * draft.schema.rows * sum(prod(planned.nodes[name].shape) for name in found)
        draft.spec["cached"] = found if size <= BYTES else []
        return
    named(draft)
    for position, name in enumerate(given):
        if name in moved and name in planned.nodes:
            draft.fault(
                f"/cached/{position}",
                "not_fixed",
                f"the values of {name!r} cannot be cached: something before it is learned, random or "
                "augmented, or it has no value a row; leave this key out, and what can be cached is",
            )


def _moved(draft: Draft, planned: Plan, bases: Mapping[str, Base | None]) -> set[str]:
    """The nodes whose values for a row change from one minibatch to another, or that have no dense one."""
    fields = draft.schema.fields
    moved = {
        name
        for name, entry in draft.spec["inputs"].items()
        if entry["augment"] or name not in planned.nodes or fields[entry["field"]].kind != "dense"
    }
    regions = draft.spec["regions"]
    if regions is not None and regions["flip"] != "none":
        entries = draft.spec["inputs"].items()
        moved |= {name for name, entry in entries if entry["field"] == regions["image"]}
    known = set(draft.spec["inputs"])
    learned = {layer.name for layer in planned.layers if layer.parameters}
    for position in planned.order:
        layer = draft.spec["network"][position]
        name = layer["name"]
        known.add(name)
        still = name in planned.nodes and planned.nodes[name].axis is None
        random = layers[layer["type"]].facts.get("random") or _random(layer, bases.get(name))
        before = set(sources(layer))
        if not still or random or name in learned or layer["share"] or before & moved or before - known:
            moved.add(name)
    return moved


def _random(layer: Mapping[str, str], base: Base | None) -> bool:
    """Whether there is dropout in the part of a base model that is not frozen."""
    if base is None:
        return False
    still = frozen(base.sources, layer["first"], layer["last"], layer["freeze"])
    nodes = base.between(layer["first"], layer["last"])
    return any(node.op == "Dropout" and node.name not in still for node in nodes)


def _used(draft: Draft, moved: set[str]) -> set[str]:
    """What layers that move take in, and what terms, metrics, outputs and the rest of the spec look at."""
    spec = draft.spec
    used = {name for layer in spec["network"] if layer["name"] in moved for name in sources(layer)}
    for item in spec["objective"] + spec["metrics"]:
        used |= {item["output"], *([item["target"]] if isinstance(item["target"], str) else item["target"])}
    used |= set(spec["outputs"] or ())
    if spec["keep"] is not None:
        used |= {*spec["keep"]["values"], *spec["keep"]["pictures"]}
    return used


def _behind_base(draft: Draft, name: str) -> bool:
    """Whether a node is part of a base model or comes after one: the rest is as quick as a file."""
    network = {layer["name"]: layer for layer in draft.spec["network"]}
    layer = network.get(name)
    if layer is None:
        return False
    return "base" in layers[layer["type"]].facts or any(_behind_base(draft, s) for s in sources(layer))
