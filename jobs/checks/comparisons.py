"""Terms, metrics and weights: what is compared with what, and how much it counts."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

from jobs.checks.draft import Draft, by, described, within_unit
from jobs.shapes import Plan
from jobs.spec_models import nearest


def comparison(draft: Draft, at: str, item: dict[str, Any], wants: str, planned: Plan) -> None:
    """A term's or metric's output and target exist, fit each other, and are of its kind."""
    output = planned.shapes.get(item["output"])
    nodes = {layer["name"] for layer in draft.spec["network"]} | set(draft.spec["inputs"])
    if item["output"] not in nodes:
        draft.fault(
            f"{at}/output",
            "unknown_node",
            f"no input or layer is named {item['output']!r}; {nearest(item['output'], list(nodes))}",
        )
    source = draft.source(item["target"])
    if item["target"] in nodes and item["target"] not in draft.spec["inputs"]:
        draft.fault(
            f"{at}/target",
            "target_kind",
            f"{item['target']!r} is a layer; a target is an input or a field",
        )
        return
    target = draft.field(f"{at}/target", source)
    if target is None:
        return
    distribution = within_unit(target) and len(target.shape) == 1
    if wants == "classes" and not (target.kind == "categorical" or distribution):
        draft.fault(
            f"{at}/target",
            "target_kind",
            f"{item['type']} takes a categorical field or a distribution over classes (a vector in 0..1),"
            f" but {source!r} is {described(target)}; upload it with kind categorical",
        )
    if wants == "labels" and not (target.kind == "dense" and within_unit(target)):
        draft.fault(
            f"{at}/target",
            "target_kind",
            f"{item['type']} takes a dense field of labels in 0..1, not {source!r}: {described(target)}",
        )
    if wants == "values" and target.kind != "dense":
        draft.fault(
            f"{at}/target",
            "target_kind",
            f"{item['type']} takes a dense field of numbers, but {source!r} is {described(target)}",
        )
    if output is not None and output != target.shape:
        draft.fault(
            at,
            "shape",
            f"the output {item['output']!r} is {by(output)} but the target {source!r} is "
            f"{by(target.shape)}; the last layer and the target need the same shape",
        )


def class_weights(draft: Draft, at: str, term: dict[str, Any]) -> None:
    """Class weights as a list in the order of the field's classes, or None."""
    given = term["class_weights"]
    if given is None:
        return
    source = draft.source(term["target"])
    target = draft.schema.fields.get(source)
    if target is None:
        return
    if target.classes is None or target.histogram is None:
        draft.fault(
            at,
            "target_kind",
            f"class weights need a categorical target, but {source!r} is {described(target)}",
        )
        return
    if isinstance(given, list):
        if len(given) != len(target.classes):
            draft.fault(at, "length", f"{source!r} has {len(target.classes)} classes, not {len(given)}")
        return
    if given == "balanced":
        rows = sum(target.histogram)
        term["class_weights"] = [
            rows / (len(target.classes) * count) if count else 0.0 for count in target.histogram
        ]
        return
    for name in given:
        if name not in target.classes:
            draft.fault(
                f"{at}/{name}",
                "unknown_class",
                f"{source!r} has no class {name!r}; {nearest(name, target.classes)}",
            )
    term["class_weights"] = [given.get(name, 1.0) for name in target.classes]
    if not any(term["class_weights"]):
        draft.fault(at, "all_zero", "every class has the weight 0, so nothing would be learned")


def top_n(draft: Draft, at: str, metric: dict[str, Any], planned: Plan) -> None:
    shape = planned.shapes.get(metric["output"])
    if "top_n" in metric and shape and metric["top_n"] > prod(shape):
        draft.fault(at, "too_large", f"top_n is {metric['top_n']} but there are {prod(shape)} classes")


def default_names(draft: Draft, section: str) -> None:
    """A term without a name is called by its type, and by its output too where that is not enough."""
    items = draft.spec[section]
    types = Counter(item["type"] for item in items if item["name"] is None)
    taken: set[str] = {"total", "total_unweighted"} if section == "objective" else set()
    for position, item in enumerate(items):
        alone = types[item["type"]] == 1
        name = item["name"] or (item["type"] if alone else f"{item['type']}_{item['output']}")
        if name in taken:
            draft.fault(
                f"/{section}/{position}/name",
                "duplicate_name",
                f"the name {name!r} is taken; give this one another 'name'",
            )
        taken.add(name)
        item["name"] = name


def example_weight(draft: Draft) -> None:
    name = draft.spec["example_weight"]
    if name is None or (found := draft.field("/example_weight", name)) is None:
        return
    if found.kind != "dense" or prod(found.shape) != 1:
        draft.fault(
            "/example_weight",
            "shape",
            f"a weight is one number an example, but {name!r} is {described(found)}",
        )
    elif found.min is not None and found.min < 0:
        draft.fault(
            "/example_weight",
            "negative",
            f"the weights in {name!r} go down to {found.min:g}; they may not be negative",
        )
    elif found.max == 0:
        draft.fault(
            "/example_weight", "all_zero", f"every weight in {name!r} is 0, so nothing would be learned"
        )
