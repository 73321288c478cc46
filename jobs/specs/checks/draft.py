"""The spec under check: what it says, the data it speaks of, and what was found wrong."""

from __future__ import annotations

from typing import Any

from jobs.dataset import DatasetSchema, FieldSchema
from jobs.errors import Fault
from jobs.specs.structure import nearest


class Draft:
    """A parsed spec whose names are resolved in place while its faults are gathered."""

    def __init__(self, spec: dict[str, Any], schema: DatasetSchema) -> None:
        self.spec = spec
        self.schema = schema
        self.faults: list[Fault] = []

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, detail))

    def field(self, pointer: str, name: str) -> FieldSchema | None:
        """The field that CNTK is to be fed, or to compare with; a fault where that cannot be."""
        found = self.schema.fields.get(name)
        if found is None:
            self.fault(
                pointer,
                "unknown_field",
                f"data set {self.schema.id} has no field {name!r}; {nearest(name, list(self.schema.fields))}",
            )
        elif found.min_length == 0:
            self.fault(
                pointer,
                "empty_sequences",
                f"{name!r} has rows without a step, such as images without a box, and a network takes at "
                "least one of each row; such fields go into 'regions'",
            )
            return None
        return found

    def source(self, target: str) -> str:
        """The field behind a target: that of the input of this name, or else the name itself."""
        return str(self.spec["inputs"].get(target, {}).get("field", target))


def within_unit(field: FieldSchema) -> bool:
    return field.kind == "dense" and field.min is not None and field.min >= 0 and (field.max or 0) <= 1


def described(field: FieldSchema) -> str:
    """ "dense, 8 x 8, 0 to 16"."""
    span = f", {field.min:g} to {field.max:g}" if field.min is not None and field.max is not None else ""
    return f"{'sequences of ' if field.sequence else ''}{field.kind}, {by(field.shape)}{span}"


def along(axis: str | None) -> str:
    """What there is one value for."""
    return "row" if axis is None else f"step of {axis!r}"


def by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
