"""NPZ: each array a field, its first axis the rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ingest.archive import StoredArray, open_archive
from ingest.arrays import Array
from ingest.columns import CategoricalWriter, Column, DenseWriter, Locate, Place, parse_numbers
from ingest.faults import FaultList, file_pointer
from ingest.fields import FieldPlan, Fitted, Table, Upload, plan_fields
from ingest.options import Options
from ingest.splits import split_codes

FEW_VALUES = 1000
"""A whole-number array with one number a row is categorical where it has no more different values."""


def read(
    uploads: Sequence[Upload], options: Options, fitted: Fitted, folder: Path, faults: FaultList, limit: int
) -> Table:
    """Write the arrays of NPZ files into ``folder``; files follow each other, row after row.

    Raises TooLarge where a file unpacks to more than ``limit`` bytes, InvalidInput where
    names, shapes or options rule out reading on; other faults are left in ``faults``.
    """
    archives = [open_archive(upload, limit, faults) for upload in uploads]
    faults.raise_if_any()
    for archive in archives:
        _check_alike(archive, archives[0], options.splits.column, faults)
    plans = plan_fields(list(archives[0]), options, fitted, faults)
    faults.raise_if_any()

    spool = folder / "spool.npy"
    sources: dict[tuple[str, str], _Source] = {}
    for plan in plans:
        for name in plan.columns:
            parts = [archive[name] for archive in archives]
            path = folder / f"column-{len(sources)}.npy"
            sources[plan.name, name] = _Source(plan, name, parts, path, spool, faults)
    faults.raise_if_any()
    columns = [(plan, [sources[plan.name, name].write(faults) for name in plan.columns]) for plan in plans]
    codes = None
    if options.splits.column is not None:
        codes = b"".join(_split_words(archive[options.splits.column], spool, faults) for archive in archives)
    rows = [next(iter(archive.values())).shape[0] for archive in archives]
    return Table(columns, rows, codes)


def _check_alike(
    archive: dict[str, StoredArray], first: dict[str, StoredArray], split: str | None, faults: FaultList
) -> None:
    """Equal row counts within an archive; equal names and row shapes across archives."""
    arrays = list(archive.values())
    filename = arrays[0].upload.filename
    counts = {array.name: array.shape[0] for array in arrays}
    if len(set(counts.values())) > 1:
        problem = f"the first axis is the rows, and they differ: {counts}"
        faults.add(file_pointer(filename), "row_counts", problem)
    for name in first.keys() ^ archive.keys():
        problem = f"array {name!r} is in one of the files and not in the other"
        faults.add(file_pointer(filename, name), "other_columns", problem)
    for array in arrays:
        place = file_pointer(filename, array.name)
        if array.dtype.kind in "US" and array.name != split:
            problem = f"{array.name!r}: {array.dtype} is text; save whole numbers, and name them by classes"
            faults.add(place, "unsupported_dtype", problem)
        twin = first.get(array.name, array)
        if twin.shape[1:] != array.shape[1:]:
            problem = f"a row of {array.name!r} is {array.shape[1:]}, in the first file {twin.shape[1:]}"
            faults.add(place, "shape", problem)


def _split_words(array: StoredArray, spool: Path, faults: FaultList) -> bytes:
    if len(array.shape) != 1 or array.dtype.kind not in "US":
        problem = f"{array.name!r} must be an array of words ('train', 'valid', 'test'), one a row"
        faults.add("/options/splits/column", "unknown_split", problem)
        return b""
    codes = b""
    for start, block in array.read(spool, faults):
        codes += split_codes(block.astype(np.str_).tolist(), _locator(array, start), faults)
    return codes


def _locator(array: StoredArray, start: int) -> Locate:
    def locate(row: int, element: int) -> Place:
        index = [start + row, *(int(axis) for axis in np.unravel_index(element, array.shape[1:] or (1,)))]
        words = f"{array.name}{index if len(array.shape) > 1 else index[:1]} (rows counted from 0)"
        return file_pointer(array.upload.filename, f"row {start + row}", array.name), words

    return locate


class _Source:
    """One array, over all files, on its way into one field."""

    def __init__(
        self, plan: FieldPlan, name: str, parts: list[StoredArray], path: Path, spool: Path, faults: FaultList
    ) -> None:
        self._plan = plan
        self._name = name
        self._parts = parts
        self._path = path
        self._spool = spool
        self._row_shape = parts[0].shape[1:]
        self._integer = all(part.dtype.kind in "bui" for part in parts)
        self._kind = self._find_kind(faults)

    def write(self, faults: FaultList) -> Column:
        if self._kind == "categorical":
            return self._write_classes(faults)
        whole = all(part.dtype == np.uint8 for part in self._parts)
        shape = self._plan.options.shape if not self._plan.gathered else None
        writer = DenseWriter(
            self._path,
            shape or self._row_shape or (1,),
            faults,
            missing=self._plan.options.missing,
            dtype="uint8" if whole else "float32",
        )
        for part, start, block in self._blocks(faults):
            writer.append(block, _locator(part, start))
        return writer.close()

    def _blocks(self, faults: FaultList) -> Iterator[tuple[StoredArray, int, Array]]:
        for part in self._parts:
            for start, block in part.read(self._spool, faults):
                yield part, start, block

    def _find_kind(self, faults: FaultList) -> str:
        options = self._plan.options
        told = None if self._plan.gathered else options.told_kind
        single = math.prod(self._row_shape) == 1
        if told == "sparse":
            problem = "an NPZ array is dense or categorical; sparse data comes in CNTK text format"
            faults.add(self._plan.at("kind"), "not_for_format", problem)
        if told == "categorical" and not (self._integer and single):
            first = self._parts[0]
            problem = f"classes are whole numbers, one a row; array is {first.shape} of {first.dtype}"
            faults.add(self._plan.at(), "not_categorical", problem)
        shape = None if self._plan.gathered else options.shape
        if shape and math.prod(shape) != math.prod(self._row_shape):
            problem = f"{shape} does not hold a row of array {self._name!r}, which is {self._row_shape}"
            faults.add(self._plan.at("shape"), "shape", problem)
        if told == "categorical":
            return told
        if told == "dense" or self._plan.gathered or not self._integer or self._row_shape or faults.count:
            return "dense"
        return "categorical" if self._few_values(faults) else "dense"

    def _few_values(self, faults: FaultList) -> bool:
        distinct: set[int] = set()
        for _, _, block in self._blocks(faults):
            distinct.update(np.unique(block).tolist())
            if len(distinct) > FEW_VALUES:
                return False
        return True

    def _write_classes(self, faults: FaultList) -> Column:
        """Given classes that are numbers are the values themselves; other names stand for 0, 1, 2, ..."""
        given = self._plan.options.classes
        names = given if given is not None and parse_numbers(given) is None else []
        writer = CategoricalWriter(self._path, faults, given, self._plan.cure)
        for part, start, block in self._blocks(faults):
            values = map(int, block.ravel().tolist())
            texts = [names[value] if 0 <= value < len(names) else str(value) for value in values]
            writer.append(texts, _locator(part, start))
        return writer.close()
