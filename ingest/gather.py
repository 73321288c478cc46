"""Several columns side by side in one dense field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ingest.arrays import Array, GrowingArray, blocks, open_rows
from ingest.columns import Column
from ingest.faults import FaultList
from ingest.fields import FieldPlan

MOST_ONE_HOT = 1000
"""Classes of one column that may become elements."""


def gather(plan: FieldPlan, columns: Sequence[Column], path: Path, faults: FaultList) -> Column:
    """A dense column of ``columns`` in their order, categorical ones one-hot; they are deleted."""
    elements: list[str] = []
    for name, column in zip(plan.columns, columns, strict=True):
        if column.classes is not None and len(column.classes) > MOST_ONE_HOT:
            has = f"{name!r} has {len(column.classes):,} classes: too many to be one-hot"
            problem = f"{has}; hash them by the option encode, or leave it out"
            faults.add(plan.at("columns"), "too_many_classes", problem)
        elements += _element_names(name, column)
    shape = tuple(plan.options.shape or [len(elements)])
    if math.prod(shape) != len(elements):
        problem = f"{list(shape)} does not hold the {len(elements)} elements that are gathered"
        faults.add(plan.at("shape"), "shape", problem)
    faults.raise_if_any()

    whole = all(column.dtype == "uint8" for column in columns)
    gathered = GrowingArray(path, np.uint8 if whole else np.float32, shape)
    rows = columns[0].count
    sources = [_Rows(column) for column in columns]
    for block in blocks(rows, len(elements) * gathered.dtype.itemsize):
        matrix = np.zeros((block.stop - block.start, len(elements)), gathered.dtype)
        start = 0
        for source in sources:
            source.fill(block, matrix[:, start : start + source.width])
            start += source.width
        gathered.append(matrix)
    gathered.close()
    for column in columns:
        column.remove()
    missing = any(column.has_missing for column in columns)
    return Column(
        "dense", shape, {"values": path}, rows, gathered.dtype.name, elements=elements, has_missing=missing
    )


class _Rows:
    """A column as rows of elements. Opens its file for each block: there may be thousands of columns."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self.width = math.prod(column.shape)

    def fill(self, block: slice, out: Array) -> None:
        values = open_rows(self._column.files["values"])[block]
        if self._column.kind == "categorical":
            out[np.arange(len(values)), values] = 1
        else:
            out[:] = values.reshape(len(values), self.width)


def _element_names(name: str, column: Column) -> list[str]:
    if column.classes is not None:
        return [f"{name}={text}" for text in column.classes]
    size = math.prod(column.shape)
    if size == 1:
        return [name]
    indices = (np.unravel_index(element, column.shape) for element in range(size))
    return [f"{name}[{','.join(str(int(axis)) for axis in index)}]" for index in indices]
