"""A posted spec with a recipe becomes the plain spec that the recipe stands for, once and for all.

Keys beside the recipe replace what it says under the same keys. What is wrong in the expansion is said of
``/recipe``, since that is what its author wrote; what is wrong beside it, of its own place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from jobs.base_models.in_jobs import Lookup
from jobs.base_models.records import Preprocessing
from jobs.dataset import DatasetSchema, FieldSchema
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.specs.checks import regions
from jobs.specs.checks.draft import described, within_unit
from jobs.specs.models import Recipe
from jobs.specs.structure import nearest
from trainer.parts import Part, recipes
from trainer.parts.recipes import Base, Field, RecipeError

FITS: dict[str, tuple[Callable[[FieldSchema], bool], str]] = {
    "numbers": (lambda field: field.kind == "dense" and not field.sequence, "a dense field"),
    "table": (
        lambda field: field.kind in ("dense", "categorical") and not field.sequence,
        "a dense or a categorical field",
    ),
    "classes": (lambda field: field.kind == "categorical" and not field.sequence, "a categorical field"),
    "labels": (
        lambda field: within_unit(field) and len(field.shape) == 1 and not field.sequence,
        "a dense field of labels in 0..1, one element a label",
    ),
    "images": (
        lambda field: field.kind == "dense" and len(field.shape) == 3 and not field.sequence,
        "a dense field of (channels, height, width)",
    ),
    "tokens": (
        lambda field: field.kind == "categorical" and field.sequence,
        "a categorical field of sequences",
    ),
    **{word: regions.FITS[key] for word, key in (("boxes", "boxes"), ("box_classes", "classes"))},
    "box_marks": regions.FITS["difficult"],
    "judgement": (
        lambda field: (field.kind == "categorical" or field.shape == (1,)) and not field.sequence,
        "a categorical field, or a dense one of one number",
    ),
}
"""What a parameter's ``field`` asks for: the check, and its words."""


def values_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe that has passed the structural check, with every default filled in."""
    found: dict[str, Any] = TypeAdapter(Recipe).validate_python(document).model_dump()
    return found


def field_faults(values: Mapping[str, Any], schema: DatasetSchema) -> list[Fault]:
    """Every field that a recipe names and the data set lacks, or has of another kind."""
    faults = []
    for name, (_, param) in recipes[values["type"]].params.items():
        if param.field is None or values[name] is None:
            continue
        several = isinstance(values[name], list)
        for position, wanted in enumerate(values[name] if several else [values[name]]):
            at = f"/recipe/{name}/{position}" if several else f"/recipe/{name}"
            found = schema.fields.get(wanted)
            fits, words = FITS[param.field]
            if found is None:
                known = nearest(wanted, list(schema.fields))
                detail = f"data set {schema.id} has no field {wanted!r}; {known}"
                faults.append(Fault(at, "unknown_field", detail))
            elif not fits(found):
                detail = f"{values['type']} takes {words} as {name}, but {wanted!r} is {described(found)}"
                faults.append(Fault(at, "field_kind", detail))
            elif several and wanted in values[name][:position]:
                faults.append(Fault(at, "duplicate", f"{wanted!r} stands in {name} twice"))
    return faults


def contradictions(document: Mapping[str, Any]) -> list[Fault]:
    """Settings of the recipe that a key beside it would throw away."""
    faults = []
    for name in document["recipe"]:
        _, param = recipes[document["recipe"]["type"]].params.get(name, (None, None))
        if param is not None and param.into in document:
            detail = (
                f"{param.into!r} beside the recipe replaces the recipe's, {name!r} with it; give one of them"
            )
            faults.append(Fault(f"/recipe/{name}", "exclusive", detail))
    return faults


def base_faults(values: Mapping[str, Any], models: Lookup) -> list[Fault]:
    """Every base model that a recipe names and that cannot be used."""
    faults = []
    for name in _based(values):
        try:
            models(values[name])
        except (NotFound, Conflict) as error:
            detail = f"{error.detail}; GET /v1/models lists them"
            faults.append(Fault(f"/recipe/{name}", "unknown_model", detail))
    return faults


def _based(values: Mapping[str, Any]) -> list[str]:
    """The parameters of a recipe that name a base model here."""
    params = recipes[values["type"]].params
    return [name for name, (_, param) in params.items() if param.base and values[name] is not None]


def sound_faults(
    document: Mapping[str, Any],
    sound: Callable[[str], bool],
    schema: DatasetSchema | None,
    models: Lookup,
) -> list[Fault]:
    """What ``expanded`` would say of a recipe that has structural faults, as far as it is ``sound``."""
    recipe = document["recipe"]
    if not isinstance(recipe, Mapping) or not (sound("/recipe/type") and "type" in recipe):
        return []
    values = {
        name: recipe.get(name) if sound(f"/recipe/{name}") else None
        for name in ("type", *recipes[recipe["type"]].params)
    }
    faults = contradictions(document) + base_faults(values, models)
    faults += field_faults(values, schema) if schema is not None else []
    return [fault for fault in faults if sound(fault.pointer)]


def expand(
    document: Mapping[str, Any], values: Mapping[str, Any], schema: DatasetSchema, models: Lookup
) -> dict[str, Any]:
    """The plain spec; the fields and base models that the recipe names are there and fit.

    InvalidInput where settings of the recipe do not go together.
    """
    fields = {
        name: Field(
            found.kind,
            found.shape,
            found.sequence,
            found.classes,
            found.mean,
            found.std,
        )
        for name, found in schema.fields.items()
    }
    part: Part = recipes[values["type"]]
    context: list[Any] = [fields]
    if "bases" in part.positional:
        context.append(_bases(values, models))
    try:
        fragment = part(*context, **{name: value for name, value in values.items() if name != "type"})
    except RecipeError as error:
        raise InvalidInput.of([Fault(f"/recipe/{error.setting}", "setting", str(error))]) from None
    beside = {key: value for key, value in document.items() if key != "recipe"}
    # What is said of the training is added to what the recipe says: its epochs no recipe knows.
    training = {**fragment.get("training", {}), **beside.get("training", {})}
    return {**fragment, **beside, **({"training": training} if training else {})}


def _bases(values: Mapping[str, Any], models: Lookup) -> dict[str, Base]:
    """What a recipe may know of the base models that it names."""
    found = {}
    for name in _based(values):
        record = models(values[name])
        preprocessing = (record.preprocessing or Preprocessing()).model_dump()
        found[record.id] = Base({node.name: node.shape for node in record.nodes}, preprocessing)
    return found


def blamed(faults: Sequence[Fault], document: Mapping[str, Any]) -> list[Fault]:
    """Faults of an expansion, said of what the author of ``document`` wrote."""
    recipe = document["recipe"]
    places = recipes[recipe["type"]].facts.get("places", {})
    found = []
    for fault in faults:
        steps = fault.pointer.split("/")[1:]
        if not steps or steps[0] in document:
            found.append(fault)
            continue
        # The nearest word of the recipe: its class_weights become those of /objective/0.
        words = [places.get(step, step) for step in reversed(steps)]
        place = next((f"/recipe/{word}" for word in words if word in recipe), "/recipe")
        detail = f"{recipe['type']} makes {fault.pointer} of this, and there: {fault.detail}"
        found.append(Fault(place, fault.code, detail))
    return found
