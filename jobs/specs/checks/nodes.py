"""Inputs and layers: their names, their shapes, and whether they can be trained."""

from __future__ import annotations

from typing import Any

from jobs.dataset import FieldSchema
from jobs.specs.checks.draft import Draft, described
from jobs.specs.shapes import Node, Plan, sources
from trainer.parts import PlanError, augmentations, layers, learners, losses


def names(draft: Draft) -> None:
    """No two nodes may share a name: losses and later jobs find them by it."""
    seen: set[str] = set(draft.spec["inputs"])
    for position, layer in enumerate(draft.spec["network"]):
        if layer["name"] in seen:
            draft.fault(
                f"/network/{position}/name",
                "duplicate_name",
                f"another input or layer is already named {layer['name']!r}",
            )
        seen.add(layer["name"])


def inputs(draft: Draft) -> dict[str, Node | None]:
    """The node of each input; None where its field is not known."""
    found_nodes: dict[str, Node | None] = {}
    for name, document in draft.spec["inputs"].items():
        at = f"/inputs/{name}"
        found = draft.field(f"{at}/field", document["field"])
        found_nodes[name] = Node(found.shape, found.axis) if found else None
        if found is None:
            continue
        if document["standardize"] and found.mean is None:
            draft.fault(
                f"{at}/standardize",
                "not_dense",
                f"a {found.kind} field has no mean and deviation to standardize by",
            )
        if document["standardize"] and (document["shift"] or document["scale"] != 1):
            draft.fault(f"{at}/standardize", "exclusive", "give standardize or shift and scale, not both")
        if found.kind == "sparse" and (document["shift"] or document["scale"] != 1):
            draft.fault(f"{at}/scale", "not_dense", "a sparse field cannot be shifted or scaled")
        by_channel(draft, at, document, found)
        augmented(draft, f"{at}/augment", document, found)
    return found_nodes


def by_channel(draft: Draft, at: str, document: dict[str, Any], field: FieldSchema) -> None:
    """Lists have a number for each channel, and only three channels can stand in another order."""
    for key in ("shift", "scale"):
        numbers = document[key]
        if isinstance(numbers, list) and field.kind == "dense" and len(numbers) != field.shape[0]:
            draft.fault(
                f"{at}/{key}",
                "length",
                f"{key} has {len(numbers)} numbers, but {document['field']!r} is {described(field)}: give "
                f"one number, or {field.shape[0]}",
            )
    pictures = field.kind == "dense" and len(field.shape) == 3 and field.shape[0] == 3
    if document["channel_order"] == "bgr" and not pictures:
        draft.fault(
            f"{at}/channel_order",
            "not_images",
            f"bgr turns three channels round, but {document['field']!r} is {described(field)}",
        )


def augmented(draft: Draft, at: str, document: dict[str, Any], field: FieldSchema) -> None:
    """Augmentations change images, and only such as they can."""
    if document["augment"] and (field.kind != "dense" or field.sequence or len(field.shape) != 3):
        what = f"{document['field']!r} is {described(field)}"
        draft.fault(at, "not_images", f"augmentations take a field of (channels, height, width), but {what}")
        return
    regions = draft.spec["regions"]
    for position, wanted in enumerate(document["augment"]):
        part = augmentations[wanted["type"]]
        if part.facts.get("moves") and regions and regions["image"] == document["field"]:
            draft.fault(
                f"{at}/{position}",
                "moves_objects",
                f"{part.name} would move what is on an image but not the boxes around it; only the colours "
                "of these images can change, and 'flip' in regions mirrors both",
            )
        if part.plan is None:
            continue
        try:
            part.plan(field.shape, **{key: value for key, value in wanted.items() if key != "type"})
        except PlanError as error:
            draft.fault(f"{at}/{position}", "setting", f"{part.name}: {error}")


def trained(draft: Draft, planned: Plan) -> None:
    """Something is learned, and by way of the objective: CNTK fails on parameters beside it."""
    network = {layer["name"]: layer for layer in draft.spec["network"]}
    ahead = [term["output"] for term in draft.spec["objective"]]
    ranked = [term for term in draft.spec["objective"] if losses[term["type"]].facts["target"] == "layer"]
    ahead += [term["target"] for term in ranked]
    known = len(network) == len(planned.layers) == len(draft.spec["network"])
    if not known or any(name not in planned.nodes for name in ahead):
        return
    reached: set[str] = set()
    lent: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in network and name not in reached:
            reached.add(name)
            ahead.extend(sources(network[name]))
            if (shared := network[name]["share"]) is not None:
                # Its parameters are trained by this use of them, what it takes in is not.
                lent.add(shared)
    if not planned.parameters:
        draft.fault("/network", "nothing_to_learn", "no layer has parameters, so nothing would be learned")
    for layer, position in zip(planned.layers, planned.order, strict=True):
        if layer.parameters and layer.name not in reached | lent:
            draft.fault(
                f"/network/{position}",
                "untrained",
                f"no term of the objective depends on {layer.name!r}, so it would not be trained",
            )


def normalization(draft: Draft, planned: Plan) -> None:
    """Batch normalization never meets a single number: it would remember an infinite deviation."""
    if "train" not in draft.schema.splits:
        return
    size, rows = draft.spec["training"]["minibatch_size"], draft.schema.splits["train"].rows
    if (rows % size or min(size, rows)) > 1:
        return
    normalizing = {la["name"] for la in draft.spec["network"] if la["type"] == "batch_normalization"}
    for layer in planned.layers:
        if layer.name in normalizing and layer.parameter_shapes["scale"] == layer.shape:
            draft.fault(
                "/training/minibatch_size",
                "too_small",
                f"with {size} of {rows} rows at a time the last minibatch holds one example, but "
                f"{layer.name!r} needs two to normalize by; choose another size",
            )


def sparse(draft: Draft) -> None:
    """Sparse inputs go to the few layers and learners that CNTK has for them."""
    sparse = {
        name
        for name, document in draft.spec["inputs"].items()
        if (field := draft.schema.fields.get(document["field"])) and field.kind == "sparse"
    }
    if not sparse:
        return
    fit = ", ".join(part.name for part in layers if part.facts.get("sparse"))
    for position, layer in enumerate(draft.spec["network"]):
        taken = sparse.intersection(sources(layer))
        if taken and not layers[layer["type"]].facts.get("sparse"):
            draft.fault(
                f"/network/{position}",
                "sparse_input",
                f"{layer['type']} cannot take the sparse input {min(taken)!r}; these can: {fit}",
            )
    learner = draft.spec["learner"]
    if not learners[learner["type"]].facts.get("sparse"):
        able = ", ".join(part.name for part in learners if part.facts.get("sparse"))
        draft.fault(
            "/learner/type",
            "sparse_input",
            f"{learner['type']} cannot train on the sparse input {min(sparse)!r}; these can: {able}",
        )
    if learner["l2"]:
        draft.fault(
            "/learner/l2",
            "sparse_input",
            f"CNTK has no l2 for the sparse input {min(sparse)!r}; set it to 0",
        )
