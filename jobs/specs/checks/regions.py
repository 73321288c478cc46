"""Regions: their fields exist and fit, and become fields that the rest of a spec may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobs.dataset import DatasetSchema, FieldSchema
from jobs.specs.checks.draft import Draft, described
from jobs.specs.structure import nearest
from trainer.parts.regions import BACKGROUND_CLASS, NAMES, fields_of

FITS: dict[str, tuple[Callable[[FieldSchema], bool], str]] = {
    "image": (
        lambda field: field.kind == "dense" and len(field.shape) == 3 and not field.sequence,
        "a dense field of (channels, height, width)",
    ),
    "boxes": (
        lambda field: field.kind == "dense" and field.shape == (4,) and field.sequence,
        "a sequence of boxes x1, y1, x2, y2",
    ),
    "classes": (
        lambda field: field.kind == "categorical" and field.sequence,
        "a categorical field with a class for each box",
    ),
    "difficult": (
        lambda field: field.kind == "dense" and field.shape == (1,) and field.sequence,
        "a sequence of one number for each box",
    ),
    "proposals": (
        lambda field: field.kind == "dense" and field.shape == (4,) and field.sequence,
        "a sequence of boxes x1, y1, x2, y2",
    ),
}


def with_regions(spec: Mapping[str, Any], schema: DatasetSchema) -> DatasetSchema:
    """The schema with the fields that a spec's regions make beside those of the data set."""
    rules = spec.get("regions")
    found = schema.fields.get(rules["classes"]) if rules else None
    if rules is None or found is None or found.classes is None:
        return schema
    count = round(schema.rows * average_count(rules, schema))
    proposals = schema.fields.get(rules["proposals"] or "")
    longest = min((proposals and proposals.max_length) or 1, rules["proposals_per_image"])
    made = {name: FieldSchema(**about) for name, about in fields_of(found.classes, count, longest).items()}
    return schema.model_copy(update={"fields": {**schema.fields, **made}})


def average_count(rules: Mapping[str, Any], schema: DatasetSchema) -> float:
    """Regions of an image in training."""
    proposals = schema.fields.get(rules["proposals"] or "")
    candidates = min(proposals.count / max(schema.rows, 1), rules["proposals_per_image"]) if proposals else 1
    return float(candidates if rules["regions_per_image"] is None else rules["regions_per_image"])


def declared(draft: Draft) -> None:
    """Check the fields that regions are made of, and add those that they make to the draft's schema."""
    rules = draft.spec["regions"]
    if rules is None:
        return
    for key in FITS:
        _fits(draft, key, rules[key])
    _beside_each_other(draft, rules)
    low, high = rules["background_overlap"]
    if low >= high:
        draft.fault(
            "/regions/background_overlap",
            "order",
            f"the first, {low:g}, must be below the second, {high:g}: nothing lies between them",
        )
    for name in NAMES:
        if name in draft.schema.fields:
            draft.fault(
                "/regions",
                "duplicate_name",
                f"regions make a field {name!r}, and data set {draft.schema.id} has one; rename it there",
            )
    draft.schema = with_regions(draft.spec, draft.schema)


def _fits(draft: Draft, key: str, name: str | None) -> None:
    if name is None:
        return
    at = f"/regions/{key}"
    found = draft.schema.fields.get(name)
    fits, words = FITS[key]
    if found is None:
        known = nearest(name, list(draft.schema.fields))
        draft.fault(at, "unknown_field", f"data set {draft.schema.id} has no field {name!r}; {known}")
    elif not fits(found):
        draft.fault(at, "field_kind", f"regions take {words} here, but {name!r} is {described(found)}")
    elif key == "classes" and BACKGROUND_CLASS in (found.classes or []):
        draft.fault(
            at,
            "duplicate_name",
            f"what covers no box is of the class {BACKGROUND_CLASS!r}, and {name!r} has a class of this "
            "name; leave out boxes of nothing",
        )
    elif key == "boxes" and not found.count:
        draft.fault(at, "nothing_to_learn", f"no image has a box in {name!r}")


def _beside_each_other(draft: Draft, rules: Mapping[str, Any]) -> None:
    """There is a class, and a mark of difficulty, for each box."""
    fields = draft.schema.fields
    boxes = fields.get(rules["boxes"])
    for key in ("classes", "difficult"):
        other = fields.get(rules[key] or "")
        if boxes and other and boxes.sequence and other.sequence and boxes.axis != other.axis:
            draft.fault(
                f"/regions/{key}",
                "axis",
                f"{rules[key]!r} has not as many steps a row as {rules['boxes']!r}; each box has one",
            )
