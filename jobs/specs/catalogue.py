"""The catalogue of parts, read from the same signatures that check specs."""

from __future__ import annotations

from typing import Any

from jobs.specs.part_models import Strict, part_model
from jobs.specs.recipes import FITS
from trainer.parts import Part, registries
from trainer.parts.learners import call_of


def catalogue() -> dict[str, list[dict[str, Any]]]:
    """Every part by kind ("layers", "losses", …), in the order in which they are declared."""
    return {plural(kind): [described(part) for part in registry] for kind, registry in registries.items()}


def plural(kind: str) -> str:
    return kind + ("es" if kind.endswith("s") else "s")


def described(part: Part) -> dict[str, Any]:
    """Name, documentation and parameters (as JSON schemas with their defaults) of one part."""
    schema = part_model(part, Strict).model_json_schema()
    summary, _, rest = part.documentation.partition("\n")
    found: dict[str, Any] = {
        "type": part.name,
        "summary": summary,
        "description": rest.strip(),
        "parameters": [parameter(part, schema, name) for name in part.params],
    }
    if part.kind == "layer":
        found["takes"] = "several inputs" if part.variadic else "one input"
    if "target" in part.facts:
        found["target"] = part.facts["target"]
    if part.kind == "learner":
        found["cntk_call"] = call_of(
            part_model(part, Strict).model_validate({"type": part.name}).model_dump()
        )
    if "better" in part.facts:
        found["better"] = part.facts["better"]
    return found


def parameter(part: Part, schema: dict[str, Any], name: str) -> dict[str, Any]:
    """One parameter: a part is named by its kind, anything else described by its JSON schema."""
    _, param = part.params[name]
    found: dict[str, Any] = {"name": name, "required": param.required}
    if param.field is not None:
        found["field"] = FITS[param.field][1]
    if not param.required:
        found["default"] = param.default
    if param.part is not None:
        found["part"] = plural(param.part)
        found["number_allowed"] = param.number is not None
    else:
        hidden = ("default", "title")
        found["schema"] = {k: v for k, v in schema["properties"][name].items() if k not in hidden}
    return found
