"""What is wrong with a document, in the words of a spec: pydantic's errors by JSON pointer, with a cure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jobs.errors import Fault, InvalidInput
from jobs.specs.part_models import descended, known_keys, tags, told_apart

KINDS = {
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a string",
    "bool_type": "true or false",
    "int_type": "an integer",
    "float_type": "a number",
}
"""What pydantic's errors of a wrong type ask for, as JSON calls it."""


Model = TypeVar("Model", bound=BaseModel)


def parse_as(model: type[Model], document: Mapping[str, Any]) -> Model:
    """A document as one of our models; InvalidInput with every structural fault at once."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput.of(structural_faults(error, document, model)) from None


def structural_faults(
    error: ValidationError, document: Mapping[str, Any], model: type[BaseModel]
) -> list[Fault]:
    """Each of pydantic's errors with a document, in the words of a spec; those of one place that could be of
    several kinds as one."""
    found: dict[str, list[dict[str, Any]]] = {}
    faults: dict[Fault, None] = {}
    items: list[dict[str, Any]] = [dict(item) for item in error.errors(include_url=False)]
    for item in items:
        if item["type"] in KINDS:
            found.setdefault(pointer(item["loc"], document, model), []).append(item)
    for item in items:
        if item["type"] not in KINDS:
            faults[fault(item, document, model)] = None
            continue
        place = pointer(item["loc"], document, model)
        faults[of_another_kind(place, found[place])] = None
    return list(faults)


def of_another_kind(place: str, errors: Sequence[Mapping[str, Any]]) -> Fault:
    """A value that is of none of the kinds that may stand at its place."""
    kinds = " or ".join(dict.fromkeys(KINDS[error["type"]] for error in errors))
    return Fault(place, errors[0]["type"], f"{kinds} is needed, not {shown(errors[0].get('input'))}")


def nearest(word: str, known: list[str]) -> str:
    """ "; did you mean 'dense'?" or, where nothing is near, the whole choice."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(sorted(known))


def fault(error: dict[str, Any], document: Mapping[str, Any], model: type[BaseModel]) -> Fault:
    """One of pydantic's errors with a document, in the words of a spec."""
    location: tuple[int | str, ...] = error["loc"]
    code: str = error["type"]
    found = error.get("input")
    if code == "extra_forbidden":
        known = known_keys(model, location[:-1])
        detail = f"unknown key {location[-1]!r}; {nearest(str(location[-1]), known)}"
        code = "unknown_key"
    elif code == "union_tag_invalid":
        tag = str(error["ctx"]["tag"])
        detail = f"unknown type {tag!r}; {nearest(tag, tags(model, location))}"
        if _is_number(tag):
            detail = f"{tag!r} is text; a number stands without quotes"
        code = "unknown_type"
    elif code == "union_tag_not_found":
        detail = "the key 'type' is missing; known: " + ", ".join(sorted(tags(model, location)))
        code = "missing"
    elif code == "missing":
        detail = f"the key {location[-1]!r} is required"
    elif code == "value_error":
        detail = str(error["ctx"]["error"])
        if not isinstance(found, Mapping):
            detail += f", not {shown(found)}"
    elif code in ("too_short", "too_long"):
        bound = error["ctx"].get("min_length", error["ctx"].get("max_length"))
        detail = f"{'at least' if code == 'too_short' else 'at most'} {bound} must stand here"
    else:
        detail = f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {shown(found)}"
    place = pointer(location, document, model, absent=code == "missing")
    if code == "unknown_type" and isinstance(_at(document, place), Mapping):
        place += "/type"
    return Fault(place, code, detail)


def _at(document: Any, place: str) -> Any:
    """What stands at a pointer of ``pointer``'s; None where nothing does."""
    for step in place.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def soundness(faults: Iterable[Fault]) -> Callable[[str], bool]:
    """Whether none of ``faults`` is at a pointer, above it or below it."""
    places = {fault.pointer for fault in faults}
    broken = {place for pointer in places for place in _way(pointer)}
    return lambda pointer: pointer not in broken and places.isdisjoint(_way(pointer))


def _way(pointer: str) -> list[str]:
    """A pointer's place and those around it, the outermost first."""
    steps = pointer.split("/")
    return ["/".join(steps[:count]) for count in range(2, len(steps) + 1)]


def in_order(faults: Iterable[Fault], document: Mapping[str, Any]) -> list[Fault]:
    """Faults as their places follow one another in a document; a missing key is behind those there are."""
    numbered: dict[int, dict[str, int]] = {}

    def place(fault: Fault) -> list[int]:
        found: list[int] = []
        current: Any = document
        for step in fault.pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(current, Mapping):
                if id(current) not in numbered:
                    numbered[id(current)] = {key: number for number, key in enumerate(current)}
                found.append(numbered[id(current)].get(name, len(current)))
                current = current.get(name)
            elif isinstance(current, list) and name.isdecimal():
                found.append(int(name))
                current = current[int(name)] if int(name) < len(current) else None
        return found

    return sorted(faults, key=place)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def shown(value: Any) -> str:
    """A value as JSON has its constants, cut where it is long."""
    text = repr(value)
    if value is None or isinstance(value, bool):
        text = "null" if value is None else str(value).lower()
    return text if len(text) <= 80 else text[:77] + "..."


def pointer(
    location: tuple[int | str, ...], document: Any, model: type[BaseModel], *, absent: bool = False
) -> str:
    """The JSON pointer of an error's location, without the tags of unions that pydantic puts in.

    ``absent``: its last step is a key that is not there.
    """
    steps: list[str] = []
    current: Any = document
    kind: Any = model
    for index, step in enumerate(location):
        last = index == len(location) - 1
        tag = step in told_apart(kind)
        kind = descended(kind, step)
        keys = range(len(current)) if isinstance(current, list) else current
        if tag:
            continue
        if isinstance(keys, range | Mapping) and step in keys:
            current = current[step]
        elif not (last and absent and isinstance(current, Mapping)):
            # The name of a type, or the inside of a value that was given in its short form.
            continue
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "/" + "/".join(steps)
