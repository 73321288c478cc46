"""Terms, metrics and weights: what is compared with what, and how much it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import Any

from jobs.dataset import FieldSchema
from jobs.specs.checks.draft import Draft, along, by, described, within_unit
from jobs.specs.shapes import Node, Plan
from jobs.specs.structure import nearest

SUM_TOLERANCE = 1e-3
"""How far from 1 the shares of an example may sum up: they were rounded somewhere."""


def targets(item: Mapping[str, Any]) -> list[str]:
    """The names that a term or metric gives as its target."""
    return item["target"] if isinstance(item["target"], list) else [item["target"]]


def comparison(draft: Draft, at: str, item: dict[str, Any], wants: str, planned: Plan) -> None:
    """A term's or metric's output and target exist, fit each other, and are of its kind."""
    names = {layer["name"] for layer in draft.spec["network"]} | set(draft.spec["inputs"])
    if item["output"] not in names:
        draft.fault(
            f"{at}/output",
            "unknown_node",
            f"no input or layer is named {item['output']!r}; {nearest(item['output'], list(names))}",
        )
    output = planned.nodes.get(item["output"])
    if wants == "layer":
        _other_output(draft, at, item, output, names, planned)
        return
    fields = [_target(draft, f"{at}/target", name, names) for name in targets(item)]
    known = [(name, field) for name, field in zip(targets(item), fields, strict=True) if field is not None]
    for name, field in known:
        _kind(draft, f"{at}/target", item["type"], wants, draft.source(name), field)
    if len(known) < len(fields) or not known:
        return
    if len(known) > 1:
        _side_by_side(draft, f"{at}/target", item["type"], wants, known)
    wanted = Node(side_by_side([field for _, field in known]), known[0][1].axis)
    called = " and ".join(repr(draft.source(name)) for name, _ in known)
    if output is not None and output.axis != wanted.axis:
        draft.fault(
            at,
            "axis",
            f"the output {item['output']!r} has one value a {along(output.axis)} but the target {called} one "
            f"a {along(wanted.axis)}; both need the same (last and its like make one vector of a sequence)",
        )
    elif output is not None and output.shape != wanted.shape:
        draft.fault(
            at,
            "shape",
            f"the output {item['output']!r} is {by(output.shape)} but the target {called} is "
            f"{by(wanted.shape)}; the last layer and the target need the same shape",
        )


def side_by_side(fields: list[FieldSchema]) -> tuple[int, ...]:
    """The shape of one target, or of several as one vector."""
    return fields[0].shape if len(fields) == 1 else (sum(prod(field.shape) for field in fields),)


def _target(draft: Draft, at: str, name: str, names: set[str]) -> FieldSchema | None:
    if name in names and name not in draft.spec["inputs"]:
        draft.fault(at, "target_kind", f"{name!r} is a layer; a target is an input or a field")
        return None
    return draft.field(at, draft.source(name))


def _kind(draft: Draft, at: str, kind: str, wants: str, source: str, target: FieldSchema) -> None:
    """The field is of the kind that the loss or metric compares with."""
    distribution = within_unit(target) and len(target.shape) == 1
    if wants == "classes" and not (target.kind == "categorical" or distribution):
        draft.fault(
            at,
            "target_kind",
            f"{kind} takes a categorical field or a distribution over classes (a vector in 0..1),"
            f" but {source!r} is {described(target)}; upload it with kind categorical",
        )
    elif kind == "cross_entropy_with_softmax" and target.row_sum is not None:
        low, high = target.row_sum
        if low < 1 - SUM_TOLERANCE or high > 1 + SUM_TOLERANCE:
            draft.fault(
                at,
                "not_a_distribution",
                f"{kind} takes shares of the classes that sum to 1, but the entries of {source!r} sum to "
                f"{low:g}..{high:g}; where several labels can be right at once, use the loss logistic",
            )
    if wants == "labels" and not (target.kind == "dense" and within_unit(target)):
        draft.fault(
            at,
            "target_kind",
            f"{kind} takes a dense field of labels in 0..1, not {source!r}: {described(target)}",
        )
    if wants == "values" and target.kind != "dense":
        draft.fault(
            at,
            "target_kind",
            f"{kind} takes a dense field of numbers, but {source!r} is {described(target)}",
        )


def _side_by_side(
    draft: Draft, at: str, kind: str, wants: str, fields: list[tuple[str, FieldSchema]]
) -> None:
    """Several fields make one target only where all are numbers for the same rows or steps."""
    if wants == "classes":
        draft.fault(
            at,
            "several_targets",
            f"{kind} takes one target; give each a term of its own, with an output of its own",
        )
    apart = {(field.kind, field.axis) for _, field in fields}
    if len(apart) > 1:
        listed = "; ".join(
            f"{name!r} is {described(field)}, one a {along(field.axis)}" for name, field in fields
        )
        draft.fault(
            at,
            "two_kinds",
            f"the targets of one term must be of one kind, but {listed}; give each a term of its own",
        )


def _other_output(
    draft: Draft, at: str, item: dict[str, Any], output: Node | None, names: set[str], planned: Plan
) -> None:
    """The target is another node of the network, of the same shape and for the same rows."""
    other = item["target"]
    if not isinstance(other, str) or other not in names:
        known = nearest(other, list(names)) if isinstance(other, str) else "give one"
        draft.fault(
            f"{at}/target", "unknown_node", f"{item['type']} compares two layers, not {other!r}; {known}"
        )
        return
    beside = planned.nodes.get(other)
    if output is None or beside is None:
        return
    for name, node in ((item["output"], output), (other, beside)):
        if node.axis is not None:
            draft.fault(
                at,
                "axis",
                f"{item['type']} compares one vector a row, but {name!r} has one a {along(node.axis)}; put a "
                "layer such as last or sequence_mean behind it",
            )
    if output.shape != beside.shape:
        draft.fault(
            at,
            "shape",
            f"{item['output']!r} is {by(output.shape)} and {other!r} is {by(beside.shape)}: towers can be "
            "compared only where both end in the same shape",
        )


def class_weights(draft: Draft, at: str, term: dict[str, Any]) -> None:
    """Class weights as a list in the order of the field's classes, or None."""
    given = term["class_weights"]
    if given is None:
        return
    source = draft.source(targets(term)[0])
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


def negatives(draft: Draft) -> None:
    """Where the other rows of a minibatch are the negatives there must be others."""
    size = draft.spec["training"]["minibatch_size"]
    for term in draft.spec["objective"]:
        if term["type"] == "ranking_with_negatives" and size == 1:
            draft.fault(
                "/training/minibatch_size",
                "too_small",
                f"{term['type']} takes its negatives from the other rows of a minibatch, and 1 leaves none",
            )


def top_n(draft: Draft, at: str, metric: dict[str, Any], planned: Plan) -> None:
    node = planned.nodes.get(metric["output"])
    if "top_n" in metric and node and metric["top_n"] > prod(node.shape):
        draft.fault(at, "too_large", f"top_n is {metric['top_n']} but there are {prod(node.shape)} classes")


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


def example_weights(draft: Draft, planned: Plan) -> None:
    """The spec's example weight, and those that terms have instead; each term gets the one that counts."""
    common = draft.spec["example_weight"]
    if common is not None:
        _weight(draft, "/example_weight", common)
    for position, term in enumerate(draft.spec["objective"]):
        at = f"/objective/{position}/example_weight" if term["example_weight"] else "/example_weight"
        if term["example_weight"] is not None:
            _weight(draft, at, term["example_weight"])
        term["example_weight"] = term["example_weight"] or common
        field = draft.schema.fields.get(term["example_weight"] or "")
        output = planned.nodes.get(term["output"])
        if field and output and field.axis not in (None, output.axis):
            draft.fault(
                at,
                "axis",
                f"{term['example_weight']!r} has a weight a {along(field.axis)}, but {term['output']!r} has "
                f"one value a {along(output.axis)}; give this term an example_weight of its own",
            )


def element_weight(draft: Draft, at: str, term: dict[str, Any], planned: Plan) -> None:
    """A loss's weight of each element has the output's shape."""
    name = term.get("element_weight")
    if name is None:
        return
    names = {layer["name"] for layer in draft.spec["network"]} | set(draft.spec["inputs"])
    found = _target(draft, at, name, names)
    output = planned.nodes.get(term["output"])
    if found is None or output is None:
        return
    if found.kind != "dense" or (found.shape, found.axis) != (output.shape, output.axis):
        draft.fault(
            at,
            "shape",
            f"an element weight is dense and as the output {term['output']!r} is, {by(output.shape)}, one a "
            f"{along(output.axis)}, but {draft.source(name)!r} is {described(found)}",
        )


def _weight(draft: Draft, at: str, name: str) -> None:
    found = draft.field(at, name)
    if found is None:
        return
    if found.kind != "dense" or prod(found.shape) != 1:
        draft.fault(at, "shape", f"a weight is one number an example, but {name!r} is {described(found)}")
    elif found.min is not None and found.min < 0:
        draft.fault(
            at, "negative", f"the weights in {name!r} go down to {found.min:g}; they may not be negative"
        )
    elif found.max == 0:
        draft.fault(at, "all_zero", f"every weight in {name!r} is 0, so nothing would be learned")
