"""From the columns that a reader wrote to fields: gathered, and fitted on the training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ingest.arrays import Array, GrowingArray, blocks, open_rows
from ingest.columns import Column
from ingest.faults import FaultList
from ingest.fields import FieldPlan, Table
from ingest.gather import gather
from ingest.hashing import gather_hashed
from ingest.options import Split
from ingest.statistics import MOST_ELEMENTS, training_moments
from ingest.tokens import TokenColumn
from ingest.vocabulary import settle
from jobs.dataset import ColumnSchema, Scaling


def assemble(
    table: Table, filenames: Sequence[str], rows: Mapping[Split, Array], folder: Path, faults: FaultList
) -> list[tuple[FieldPlan, Column]]:
    """Each field as one column, finished. What is fitted is fitted on the rows of ``rows["train"]`` alone,
    or taken from the data set that this one is to be like. InvalidInput."""
    train = rows.get("train", np.empty(0, np.int64))
    fields: list[tuple[FieldPlan, Column]] = []
    for number, (plan, parts) in enumerate(table.fields):
        sources = [_source(plan, name, part) for name, part in zip(plan.columns, parts, strict=True)]
        path = folder / f"gathered-{number}.npy"
        if plan.options.hashing is not None:
            column = gather_hashed(plan, parts, path, faults)
        elif plan.gathered:
            column = gather(plan, parts, path, faults)
        else:
            column = parts[0]
        column.sources = sources
        fields.append((plan, column))
    faults.raise_if_any()
    members = [(plan, column) for plan, column in fields if isinstance(column, TokenColumn)]
    settle(members, table, filenames, rows, faults)
    for plan, column in fields:
        if column.kind == "dense":
            fill_missing(plan, column, train, faults)
        if plan.options.standardize:
            standardize(plan, column, train, faults)
    faults.raise_if_any()
    return fields


def _source(plan: FieldPlan, name: str, column: Column) -> ColumnSchema:
    if column.kind == "dense":
        return ColumnSchema(name=name, kind="numbers", size=math.prod(column.shape))
    if column.kind == "sparse":
        return ColumnSchema(name=name, kind="pairs")
    if plan.options.hashing is not None:
        return ColumnSchema(name=name, kind="hashed")
    if isinstance(column, TokenColumn):
        return ColumnSchema(name=name, kind="tokens")
    return ColumnSchema(name=name, kind="classes", classes=column.classes if plan.gathered else None)


def fill_missing(plan: FieldPlan, column: Column, train: Array, faults: FaultList) -> None:
    """Put the training split's mean where numbers are missing; a fault where it has none.

    The means are kept though nothing be missing here: new data may lack a number.
    """
    if plan.options.missing != "mean":
        column.fill = None if plan.options.missing == "error" else plan.options.missing
        return
    size = math.prod(column.shape)
    if plan.fitted is not None:
        means = np.array(plan.fitted.fill)
    else:
        moments = training_moments(column, train)
        means = moments.mean
        empty = np.flatnonzero(moments.count == 0)
        if len(empty):
            names = column.elements or [str(element) for element in range(size)]
            problem = f"element {names[empty[0]]!r} has no number at all in the training rows"
            faults.add(plan.at("missing"), "missing", problem + " to take the mean of")
            return
    column.fill = means.tolist()
    if column.has_missing:
        values = open_rows(column.files["values"], writable=True).reshape(column.count, size)
        for block in blocks(column.count, size * 12):
            rows_values = values[block]
            values[block] = np.where(np.isnan(rows_values), means.astype(np.float32), rows_values)


def standardize(plan: FieldPlan, column: Column, train: Array, faults: FaultList) -> None:
    """(value - mean) / std of the training rows, element by element; one-hot elements stay as they are."""
    size = math.prod(column.shape)
    if column.kind != "dense":
        problem = f"field {plan.name!r} is {column.kind}, and only numbers are standardized"
        faults.add(plan.at("standardize"), "not_numbers", problem)
        return
    if size > MOST_ELEMENTS:
        problem = f"{size:,} elements a row, where {MOST_ELEMENTS:,} may be standardized"
        faults.add(plan.at("standardize"), "too_large", problem)
        return
    if plan.fitted is not None and plan.fitted.standardized is not None:
        scaling = plan.fitted.standardized
    else:
        moments = training_moments(column, train)
        mean, std = moments.mean, moments.deviation()
        number = np.concatenate([_is_number(source) for source in column.sources])
        mean[~number] = 0
        std[~number | (std == 0)] = 1
        scaling = Scaling(mean=mean.tolist(), std=std.tolist())
    column.standardized = scaling
    shift, divisor = np.array(scaling.mean), np.array(scaling.std)
    before = column.files["values"]
    standardized = GrowingArray(before.with_suffix(".standardized.npy"), np.float32, column.shape)
    values = open_rows(before).reshape(column.count, size)
    for block in blocks(column.count, size * 12):
        standardized.append((values[block].astype(np.float64) - shift) / divisor)
    standardized.close()
    before.unlink()
    column.files["values"], column.dtype = standardized.path, "float32"


def _is_number(source: ColumnSchema) -> Array:
    """For each of its elements, whether it is a number (and no class)."""
    return np.full(len(source.classes) if source.classes is not None else source.size, source.classes is None)
