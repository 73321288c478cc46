"""Which columns of the upload make which field."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ingest.columns import Column
from ingest.faults import FaultList, listing, nearest, pointer
from ingest.field_options import FieldOptions
from ingest.like import options_like
from ingest.options import Options
from jobs.dataset import ColumnSchema, FieldSchema, ImagesSchema

MAX_FIELDS = 4096
NO_SPLIT = 255
"""The split code of a row that none has: nothing is trained or judged on it."""


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
    """Several columns side by side in one dense field, categorical ones one-hot or hashed."""
    fitted: FieldSchema | None = None
    """The field of another data set that this one is to be like."""

    def at(self, *steps: str) -> str:
        """Where the options of the field, or ``steps`` further in, are told."""
        return "/options/like" if self.fitted else pointer("options", "fields", self.name, *steps)

    @property
    def cure(self) -> str:
        """What to do about a value that is none of the classes."""
        if self.fitted is not None:
            return "correct it: the classes are those of the data set in /options/like"
        return f"correct it, or add it to {self.at('classes')}"

    def fitted_column(self, name: str) -> ColumnSchema | None:
        """How the other data set took in the column."""
        sources = self.fitted.sources if self.fitted else []
        return next((column for column in sources if column.name == name), None)


@dataclass(frozen=True)
class Table:
    """What a reader made of the files: for each field its columns, not yet gathered."""

    fields: list[tuple[FieldPlan, list[Column]]]
    file_rows: list[int]
    """Rows of each file, in the order of the upload."""
    split_codes: bytes | None = None
    """Where something tells the split of each row: its place in ingest.options.SPLITS, or NO_SPLIT."""
    images: ImagesSchema | None = None
    """Of the column ``image``, where there is one."""
    lacked: tuple[str, ...] = ()
    """The columns that tell nothing of rows without a split."""

    @property
    def rows(self) -> int:
        return sum(self.file_rows)


Fitted = Mapping[str, FieldSchema]
"""The fields of the data set that this one is to be like; none where it is not."""


def plan_fields(
    available: Sequence[str], options: Options, fitted: Fitted, faults: FaultList
) -> list[FieldPlan]:
    """The fields that ``options``, or else ``fitted`` ones, make of the ``available`` columns.

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
    if fitted:
        return _plan_like(usable, fitted, faults)
    outright = frozenset(
        column
        for name, field in options.fields.items()
        for column in (field.columns or [name])
        if column in left
    )
    plans: list[FieldPlan] = []
    for name, field in options.fields.items():
        columns = list(dict.fromkeys(_columns_of(name, field, usable, outright, faults)))
        several = field.columns is not None and (len(field.columns) > 1 or field.columns[0] not in usable)
        gathered = several or field.encode is not None or field.columns_from is not None
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


def _plan_like(available: Collection[str], fitted: Fitted, faults: FaultList) -> list[FieldPlan]:
    """The fields of another data set; columns that it did not have are left out."""
    needed = dict.fromkeys(source.name for field in fitted.values() for source in field.sources)
    lacking = [name for name in needed if name not in available]
    if lacking:
        problem = f"the files lack {listing(lacking, 1000)}; there are {listing(available)}"
        faults.add("/options/like", "unknown_column", problem)
    plans = []
    for name, field in fitted.items():
        columns = tuple(source.name for source in field.sources)
        gathered = field.columns is not None or field.hashed is not None
        plans.append(FieldPlan(name, options_like(field), columns, gathered, field))
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
            if field.columns_from:
                place += "/columns_from"
            elif field.columns:
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
    what = "columns gathered are one field"
    if plan.options.kind not in (None, "dense") and plan.options.hashing is None:
        problem = f"{len(plan.columns)} {what}, and it is dense, never {plan.options.kind}"
        faults.add(plan.at("kind"), "gathered", problem)
    if plan.options.classes is not None:
        problem = "classes belong to a categorical field of one column; gathered ones are found from the data"
        faults.add(plan.at("classes"), "gathered", problem)
    if plan.options.tokens is not None:
        problem = f"{len(plan.columns)} {what} of numbers; tokens are made of one column"
        faults.add(plan.at("tokens"), "gathered", problem)
