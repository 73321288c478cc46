"""Names in a spec that is not whole, as far as they can be told for certain from its sound parts.

The checks are those of a whole spec. They see the spec with its structural faults taken out: what cannot
be read is replaced by what no check objects to, and no shape is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from jobs.base_models.in_jobs import Lookup, of_base
from jobs.dataset import DatasetSchema
from jobs.errors import Fault
from jobs.specs.checks import bases, comparisons, decisions, features, keeping, learning, nodes, regions
from jobs.specs.checks.draft import Draft
from jobs.specs.keeping_models import Keep
from jobs.specs.models import JobSpec, Layer, Name, Targeted, Term
from jobs.specs.region_models import Regions
from jobs.specs.shapes import Plan, undeclared
from trainer.parts import Registry, losses, metrics

Sound = Callable[[str], bool]
"""Whether nothing is structurally wrong at, above or below a JSON pointer."""

NAME = TypeAdapter[str](Name)
LAYER = TypeAdapter[Any](Layer)
UNPLANNED = Plan({}, (), ())
NO_DATA = DatasetSchema.model_construct(id="", rows=0, fields={}, splits={})


def names(
    document: Mapping[str, Any], sound: Sound, schema: DatasetSchema | None, models: Lookup
) -> list[Fault]:
    """The names in a posted spec's sound parts that nothing has; ``schema`` is None where it is not known.

    ``models`` finds the records of base models.

    Fields are only looked for where all are known, regions' own among them, and nodes only where each
    input and layer has a name that may be one, be it wrong in other ways: else a name that nothing has
    could be the one that was meant there.
    """
    draft = Draft({"inputs": _inputs(document), "network": []}, schema or NO_DATA)
    known = schema is not None and _regions_known(draft, document, sound)
    if known:
        for name, entry in draft.spec["inputs"].items():
            draft.field(f"/inputs/{name}/field", entry["field"])
    network = _list(document.get("network"))
    called = [*draft.spec["inputs"], *(_mapping(layer).get("name") for layer in network)]
    _based(draft, network, sound, models)
    _watched(draft, document, sound, schema is not None)
    if draft.spec["inputs"] and network and all(map(_is_name, called)):
        draft.spec["network"] = [_layer(layer) for layer in network]
        nodes.names(draft)
        undeclared(draft.spec["inputs"], draft.spec["network"], draft.faults)
        draft.spec["outputs"] = _texts(document.get("outputs"))
        learning.outputs(draft, UNPLANNED)
        draft.spec["training"] = {
            "rate_factors": _mapping(_mapping(document.get("training")).get("rate_factors"))
        }
        learning.rates(draft, UNPLANNED)
        draft.spec["cached"] = _texts(document.get("cached"))
        features.named(draft)
        for section, parts in (("objective", losses), ("metrics", metrics)):
            _compared(draft, document, section, parts, sound, known)
        if known:
            draft.spec["keep"] = _kept(document, sound)
            keeping.kept(draft, UNPLANNED)
    if known:
        draft.spec["example_weight"] = _text(document.get("example_weight"))
        terms = _list(document.get("objective"))
        weights = [_text(_mapping(term).get("example_weight")) for term in terms]
        draft.spec["objective"] = [{"example_weight": name, "output": ""} for name in weights]
        comparisons.example_weights(draft, UNPLANNED)
    return [fault for fault in draft.faults if sound(fault.pointer)]


def _regions_known(draft: Draft, document: Mapping[str, Any], sound: Sound) -> bool:
    """Check the regions; False where the fields that they make cannot be told."""
    given = document.get("regions")
    meant = get_close_matches("regions", document.keys() - JobSpec.model_fields.keys())
    if (meant and given is None) or (given is not None and not sound("/regions")):
        return False
    draft.spec["regions"] = Regions.model_validate(given).model_dump() if given is not None else None
    regions.declared(draft)
    return not draft.faults


def _compared(
    draft: Draft, document: Mapping[str, Any], section: str, parts: Registry, sound: Sound, known: bool
) -> None:
    """Outputs of terms or metrics, and their targets where it is known what they are compared with."""
    inputs = draft.spec["inputs"]
    lost = {name for name, entry in inputs.items() if entry["field"] not in draft.schema.fields}
    for position, given in enumerate(map(_mapping, _list(document.get(section)))):
        at = f"/{section}/{position}"
        wants = parts[given["type"]].facts["target"] if sound(f"{at}/type") else ""
        # What has no readable output gets one that is there, what has no readable target none at all.
        output = given["output"] if isinstance(given.get("output"), str) else next(iter(inputs))
        item: dict[str, Any] = {"type": given.get("type"), "output": output, "target": []}
        if wants and sound(f"{at}/target"):
            fields = wants != "layer"
            if not fields or (known and lost.isdisjoint(comparisons.targets(given))):
                item["target"] = given["target"]
        comparisons.comparison(draft, at, item, wants, UNPLANNED)
        weight = _text(given.get("element_weight"))
        if known and wants and weight not in lost:
            comparisons.element_weight(
                draft, f"{at}/element_weight", {**item, "element_weight": weight}, UNPLANNED
            )
        if known and item["target"] and section == "objective" and sound(f"{at}/class_weights"):
            weights = {**item, "class_weights": given.get("class_weights")}
            comparisons.class_weights(draft, f"{at}/class_weights", weights)


def _based(draft: Draft, network: list[Any], sound: Sound, models: Lookup) -> None:
    """Base models and their nodes, of layers that are right in themselves."""
    for position, layer in enumerate(network):
        at = f"/network/{position}"
        if sound(at) and of_base(layer):
            bases.base(draft, at, LAYER.validate_python(layer).model_dump(), models)


def _watched(draft: Draft, document: Mapping[str, Any], sound: Sound, known: bool) -> None:
    """What is watched, and decided on, where it is certain which terms and metrics there are."""
    sections = (("objective", Term), ("metrics", Targeted))
    items = {section: _told(document, section, model, sound) for section, model in sections}
    if any(found is None for found in items.values()) or not items["objective"]:
        return
    draft.spec |= items
    for section in items:
        comparisons.default_names(draft, section)
    watch = _mapping(document.get("watch"))
    # Which splits there are is another question, and one of the data set alone.
    draft.spec["watch"] = {"metric": _text(watch.get("metric")), "split": "train", "better": None}
    learning.watch(draft)
    entries = [_mapping(entry) for entry in _list(document.get("decisions"))]
    tuned = [known and entry.get("threshold") == "tuned" for entry in entries]
    draft.spec["decisions"] = [
        {"output": entry.get("output"), "threshold": "tuned" if late else 0.5}
        if isinstance(entry.get("output"), str)
        else {"output": "", "threshold": 0.5}
        for entry, late in zip(entries, tuned, strict=True)
    ]
    decisions.complete(draft)


def _told(
    document: Mapping[str, Any], section: str, model: type[Targeted], sound: Sound
) -> list[dict[str, Any]] | None:
    """Type, name and output of each term or metric; None where one cannot be told."""
    given = document.get(section, [])
    if not isinstance(given, list):
        return None
    found = []
    for position, item in enumerate(given):
        at = f"/{section}/{position}"
        # An unknown key may be a misspelt name.
        keys = {"type", "name", "output"} | (_mapping(item).keys() - model.model_fields.keys())
        if not isinstance(item, Mapping) or not all(sound(f"{at}/{key}") for key in keys):
            return None
        found.append({"type": item["type"], "name": item.get("name"), "output": item["output"]})
    return found


def _kept(document: Mapping[str, Any], sound: Sound) -> dict[str, Any] | None:
    given = document.get("keep")
    return Keep.model_validate(given).model_dump() if given is not None and sound("/keep") else None


def _inputs(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The field of each input; "" where that cannot be read."""
    return {
        name: {"field": _text(entry) or _text(_mapping(entry).get("field")) or ""}
        for name, entry in _mapping(document.get("inputs")).items()
    }


def _is_name(value: Any) -> bool:
    try:
        NAME.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True


def _layer(given: Mapping[str, Any]) -> dict[str, Any]:
    """A layer's name, and the names in it that can be read."""
    taken: dict[str, Any] = {"inputs": [name for name in _texts(given.get("inputs")) if name]}
    if isinstance(given.get("input"), str):
        taken = {"input": given["input"]}
    return {"name": given["name"], "share": _text(given.get("share")), **taken}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str]:
    return [_text(entry) or "" for entry in _list(value)]
