"""What a job is told to keep of its nodes' values: nodes that exist, in sizes that stay small."""

from __future__ import annotations

from math import prod

from jobs.specs.checks.draft import Draft, along, by
from jobs.specs.shapes import Node, Plan
from jobs.specs.structure import nearest

BYTES = 64 * 1024**2
"""Of all values that are kept together, and of all pictures together. Both are in memory at once."""


def kept(draft: Draft, planned: Plan) -> None:
    """Nodes in ``keep`` have one dense value a row; what pictures are drawn of is like a picture."""
    keep = draft.spec["keep"]
    if keep is None:
        return
    if not keep["values"] and not keep["pictures"]:
        draft.fault("/keep", "nothing_to_keep", "name nodes in values, in pictures or in both")
    rows = keep["images"] if isinstance(keep["images"], list) else []
    for position, row in enumerate(rows):
        if row >= draft.schema.rows:
            detail = f"data set {draft.schema.id} has {draft.schema.rows} rows, counted from 0, and no {row}"
            draft.fault(f"/keep/images/{position}", "unknown_row", detail)
    counts = (("values", "rows", keep["rows"]), ("pictures", "images", len(rows) or keep["images"]))
    for key, setting, count in counts:
        found = [
            node
            for position, name in enumerate(keep[key])
            if (node := _node(draft, f"/keep/{key}/{position}", name, planned)) is not None
        ]
        a_row = 4 * sum(prod(node.shape) for node in found)
        if count * a_row > BYTES:
            draft.fault(
                f"/keep/{setting}",
                "too_large",
                f"{count} rows of {key} take {count * a_row / 1024**2:.0f} MiB, more than "
                f"{BYTES // 1024**2}; keep at most {BYTES // a_row} rows, or fewer nodes",
            )
    for position, name in enumerate(keep["pictures"]):
        shape = planned.nodes[name].shape if name in planned.nodes else (1, 1)
        if len(shape) not in (2, 3):
            draft.fault(
                f"/keep/pictures/{position}",
                "shape",
                f"a picture is (height, width) or (maps, height, width), but {name!r} is {by(shape)}; "
                "put a reshape layer behind it and name that",
            )


def _node(draft: Draft, at: str, name: str, planned: Plan) -> Node | None:
    """The node of this name, if it is known and has one dense value a row."""
    inputs = draft.spec["inputs"]
    names = [*inputs, *(layer["name"] for layer in draft.spec["network"])]
    if name not in names:
        draft.fault(at, "unknown_node", f"no input or layer is named {name!r}; {nearest(name, names)}")
        return None
    field = draft.schema.fields.get(draft.source(name)) if name in inputs else None
    if field is not None and field.kind != "dense":
        draft.fault(
            at, "not_dense", f"{name!r} is a {field.kind} field, which the data set has already; keep layers"
        )
        return None
    node = planned.nodes.get(name)
    if node is not None and node.axis is not None:
        draft.fault(
            at,
            "axis",
            f"{name!r} has one value a {along(node.axis)}, and arrays have one a row; put a layer such as "
            "last or sequence_mean behind it and name that",
        )
        return None
    return node
