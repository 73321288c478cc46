"""Pydantic models built from the signatures of the trainer's parts.

A part's keyword-only parameters become the fields of its model, ``type`` tells the parts of a
kind apart, unknown keys are refused. A parameter that is itself a part also takes the part's
name alone ("relu"), and a plain number where the signature says which part that stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from trainer.parts import Param, Part, Registry, registries


class Strict(BaseModel):
    """No coercion between types, no unknown keys, no NaN or infinity."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def part_models(
    registry: Registry, base: Callable[[Part], type[Strict]] = lambda _: Strict
) -> list[type[Strict]]:
    """One model a part of ``registry``, each derived from ``base(part)``."""
    return [part_model(part, base(part)) for part in registry]


def part_model(part: Part, base: type[Strict]) -> type[Strict]:
    fields: dict[str, Any] = {"type": (Literal[part.name], part.name)}
    for name, (annotation, param) in part.params.items():
        fields[name] = field_of(part, annotation, param)
    made: type[Strict] = create_model(
        f"{part.kind}_{part.name}", __base__=base, __doc__=part.documentation, **fields
    )
    return made


def field_of(part: Part, annotation: Any, param: Param) -> tuple[Any, Any]:
    """(type, default) of one parameter, as ``create_model`` takes them."""
    if param.part is not None:
        # A schedule inside a schedule: only those that hold none themselves, so the types end.
        inner = [other for other in registries[param.part] if other.kind != part.kind or not nests(other)]
        kind: Any = reference([part_model(other, Strict) for other in inner], param.number, inner)
        default = param.default if param.required else {"type": param.default}
        if param.number is not None and not param.required:
            default = param.default
    else:
        kind, default = limited(annotation, param), param.default
    if param.choices:
        kind = Literal[tuple(param.choices)]
        if param.default is None:
            kind = kind | None
    if param.required:
        return kind, ...
    return kind, Field(default=default, validate_default=True, description=param.documentation)


def nests(part: Part) -> bool:
    return any(param.part == part.kind for _, param in part.params.values())


def limited(annotation: Any, param: Param) -> Any:
    """``annotation`` with the limits on its numbers, also inside lists and alternatives."""
    if not param.limits and not param.field:
        return annotation
    if get_origin(annotation) is Union:
        return Union[tuple(limited(choice, param) for choice in get_args(annotation))]  # noqa: UP007
    if get_origin(annotation) is list:
        least = 0 if param.empty else 1
        return Annotated[list[limited(get_args(annotation)[0], param)], Field(min_length=least)]  # type: ignore[misc]  # built at run time
    if annotation in (int, float):
        return Annotated[annotation, Field(**param.limits)]
    return annotation


def discriminated(models: Iterable[type[Strict]]) -> Any:
    """A union told apart by ``type``."""
    return Annotated[Union[tuple(models)], Field(discriminator="type")]  # noqa: UP007


def reference(models: Iterable[type[Strict]], number: str | None, parts: Iterable[Part]) -> Any:
    """A part, its name alone, or (where ``number`` names a part) a number as its only parameter."""
    only = {part.name: next(iter(part.params), None) for part in parts}

    def spelled_out(value: Any) -> Any:
        if isinstance(value, str):
            return {"type": value}
        if number is not None and isinstance(value, (int, float)) and not isinstance(value, bool):
            return {"type": number, only[number]: value}
        return value

    return Annotated[discriminated(models), BeforeValidator(spelled_out)]


def known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model at ``location`` (a pydantic error's) knows."""
    current: Any = model
    for step in location:
        current = descended(current, step)
    found = [option for option in options(current) if is_model(option)]
    return list(found[0].model_fields) if found else []


def tags(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The values of ``type`` that the union at ``location`` knows."""
    current: Any = model
    for step in location:
        current = descended(current, step)
    return list(told_apart(current))


def told_apart(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models of a union that ``type`` tells apart, by its value; of another type none."""
    models = [option for option in options(annotation) if is_model(option) and "type" in option.model_fields]
    if len(models) < 2:
        return {}
    return {str(get_args(model.model_fields["type"].annotation)[0]): model for model in models}


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def options(annotation: Any) -> list[Any]:
    """The alternatives of a (possibly annotated, possibly optional) type."""
    if get_origin(annotation) is Annotated:
        return options(get_args(annotation)[0])
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        return [inner for option in get_args(annotation) for inner in options(option)]
    return [annotation]


def descended(annotation: Any, step: int | str) -> Any:
    """The type at ``step`` (a field, an index, a key or a union's tag) inside ``annotation``.

    Where there is a tag it comes first: ``momentum`` is a learner, and a key of that learner.
    """
    tagged = told_apart(annotation)
    if step in tagged:
        return tagged[str(step)]
    for option in options(annotation):
        if get_origin(option) is list and isinstance(step, int):
            return get_args(option)[0]
        if get_origin(option) is dict:
            return get_args(option)[1]
        if is_model(option) and step in option.model_fields:
            return option.model_fields[step].annotation
    return annotation
