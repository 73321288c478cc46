"""Which columns of the upload make which field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ingest.columns import Column
from ingest.faults import FaultList, nearest, pointer
from ingest.options import FieldOptions, Options

MAX_FIELDS = 4096


@dataclass(frozen=True)
class Upload:
    """One uploaded file: the name its sender gave it, and where its bytes lie."""

    filename: str
    path: Path


@dataclass(frozen=True)
class FieldPlan:
    """One field to be: its options and the columns that it is made of."""

    name: str
    options: FieldOptions
    columns: tuple[str, ...]
    gathered: bool
    """Several columns side by side in one dense field, categorical ones one-hot."""

    @property
    def options_at(self) -> str:
        return pointer("options", "fields", self.name)


@dataclass(frozen=True)
class Table:
    """What a reader made of the files: for each field its columns, not yet gathered."""

    fields: list[tuple[FieldPlan, list[Column]]]
    file_rows: list[int]
    """Rows of each file, in the order of the upload."""
    split_codes: bytes | None = None
    """Where a column tells the split: the place of each row's word in ingest.options.SPLITS."""

    @property
    def rows(self) -> int:
        return sum(self.file_rows)


def plan_fields(available: Sequence[str], options: Options, faults: FaultList) -> list[FieldPlan]:
    """The fields that ``options`` make of the ``available`` columns.

    Declared fields first. A column that none of them takes becomes a field of its own name.
    A glob leaves alone what another field names outright: ``"*"`` takes "all but the target".
    """
    left = set(available) - set(_excluded(available, options, faults))
    if options.splits.column is not None:
        split = options.splits.column
        if split not in available:
            problem = f"no column is called {split!r}; {nearest(split, available)}"
            faults.add("/options/splits/column", "unknown_column", problem)
        left.discard(split)
    usable = dict.fromkeys(name for name in available if name in left).keys()
    outright = frozenset(
        column
        for name, field in options.fields.items()
        for column in (field.columns or [name])
        if column in left
    )
    plans: list[FieldPlan] = []
    for name, field in options.fields.items():
        columns = list(dict.fromkeys(_columns_of(name, field, usable, outright, faults)))
        gathered = field.columns is not None and (len(field.columns) > 1 or field.columns[0] not in usable)
        if columns:
            plans.append(FieldPlan(name, field, tuple(columns), gathered))
            _check_gathered(plans[-1], faults)
    taken = {column for plan in plans for column in plan.columns}
    for column in usable:
        if column in taken:
            continue
        if column in options.fields:
            problem = f"the column {column!r} is in no field, and another field has its name; exclude it"
            faults.add(pointer("options", "fields", column), "duplicate", problem)
            continue
        plans.append(FieldPlan(column, FieldOptions(), (column,), gathered=False))
    if not plans and not faults.count:
        faults.add("/options/exclude", "no_fields", "nothing is left to make a field of")
    if len(plans) > MAX_FIELDS:
        problem = f"{len(plans):,} fields, where {MAX_FIELDS:,} are allowed; gather columns into one: "
        faults.add("/options/fields", "too_many_fields", problem + '{"x": {"columns": ["*"]}}')
    return plans


def _excluded(available: Sequence[str], options: Options, faults: FaultList) -> Iterator[str]:
    for index, pattern in enumerate(options.exclude):
        matched = _matching(pattern, available)
        if not matched:
            problem = f"no column matches {pattern!r}; {nearest(pattern, available)}"
            faults.add(pointer("options", "exclude", index), "unknown_column", problem)
        yield from matched


def _columns_of(
    name: str, field: FieldOptions, usable: Collection[str], outright: frozenset[str], faults: FaultList
) -> Iterator[str]:
    for index, pattern in enumerate(field.columns or [name]):
        if pattern in usable:
            yield pattern
            continue
        matched = [column for column in _matching(pattern, usable) if column not in outright]
        if not matched:
            place = pointer("options", "fields", name)
            if field.columns:
                place += f"/columns/{index}"
            problem = f"no column that may be used matches {pattern!r}; {nearest(pattern, usable)}"
            faults.add(place, "unknown_column", problem)
        yield from matched


def _matching(pattern: str, names: Collection[str]) -> list[str]:
    """The name itself, else what the glob matches."""
    return [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]


def _check_gathered(plan: FieldPlan, faults: FaultList) -> None:
    if not plan.gathered:
        return
    if plan.options.kind not in (None, "dense"):
        problem = f"{len(plan.columns)} columns gathered are one dense field, never {plan.options.kind}"
        faults.add(plan.options_at + "/kind", "gathered", problem)
    if plan.options.classes is not None:
        problem = "classes belong to a categorical field of one column; gathered ones are found from the data"
        faults.add(plan.options_at + "/classes", "gathered", problem)
