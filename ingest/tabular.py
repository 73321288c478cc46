"""Tables (CSV, ARFF, JSONL, Parquet): looked through where only values tell kinds, then written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from ingest.arff import ArffFile
from ingest.attributes import Attribute
from ingest.cells import Block
from ingest.csvfile import CsvFile
from ingest.faults import FaultList, file_pointer, nearest
from ingest.fields import Fitted, Table, Upload, plan_fields
from ingest.jsonl import JsonlFile, merge
from ingest.options import Options
from ingest.source import Source, locator
from ingest.splits import split_codes


class TableFile(Protocol):
    """What the formats have in common: names, perhaps declared kinds, and rows of values."""

    upload: Upload
    names: list[str]

    @property
    def declared(self) -> Mapping[str, Attribute]: ...

    def blocks(self, faults: FaultList) -> Iterator[Block]: ...


def read(
    uploads: Sequence[Upload],
    options: Options,
    fitted: Fitted,
    folder: Path,
    faults: FaultList,
    limit: int,
) -> Table:
    """Write the columns of tables into ``folder``. Rows are in the order of the files.

    Raises TooLarge where a file unpacks to more than ``limit`` bytes, InvalidInput where the
    header or the options rule out reading on; other faults are left in ``faults``.
    """
    files = [_open(upload, options, faults, limit) for upload in uploads]
    faults.raise_if_any()
    names, declared = _columns(files, faults)
    plans = plan_fields(names, options, fitted, faults)
    faults.raise_if_any()

    fields = [(plan, [Source(plan, name, declared.get(name)) for name in plan.columns]) for plan in plans]
    sources = [source for _, group in fields for source in group]
    surveyed = any(source.undecided for source in sources)
    for file in files if surveyed else ():
        for block in file.blocks(faults):
            for source in sources:
                source.survey(block)
    before = faults.count
    for number, source in enumerate(sources):
        source.open(folder / f"column-{number}.npy", faults)
    if faults.count > before:
        faults.raise_if_any()
    split = options.splits.column
    codes = bytearray()
    file_rows = []
    for file in files:
        rows = 0
        # What is wrong with the rows themselves is said once.
        for block in file.blocks(FaultList() if surveyed else faults):
            rows += len(block.rows)
            for source in sources:
                source.write(block, file.upload.filename)
            if split is not None:
                words = block.columns[split].texts()
                codes += split_codes(words, locator(block, file.upload.filename, split), faults)
        if not rows and not faults.count:
            faults.add(file_pointer(file.upload.filename), "empty", "the file has no row of values")
        file_rows.append(rows)
    columns = [(plan, [source.close() for source in group]) for plan, group in fields]
    return Table(columns, file_rows, bytes(codes) if split is not None else None)


def _open(upload: Upload, options: Options, faults: FaultList, limit: int) -> TableFile:
    match options.format:
        case "arff":
            return ArffFile(upload, options, faults)
        case "jsonl":
            return JsonlFile(upload, options, faults)
        case "parquet":
            # Arrow takes half a second and 50 MB: only who uploads Parquet waits for it.
            from ingest.parquet import ParquetFile

            return ParquetFile(upload, options, faults, limit=limit)
        case _:
            return CsvFile(upload, options, faults)


def _columns(files: Sequence[TableFile], faults: FaultList) -> tuple[list[str], dict[str, Attribute]]:
    """The names of the columns, and what is declared of them, over all files."""
    if isinstance(files[0], JsonlFile):
        return _keys(files, faults)
    names, declared = files[0].names, dict(files[0].declared)
    for file in files[1:]:
        same = file.names == names if not declared else set(file.names) == set(names)
        if not same:
            _report_other_header(names, file, faults)
        elif any(_differ(file.declared[name], declared[name]) for name in declared):
            _report_other_types(declared, file, faults)
    return names, declared


def _keys(files: Sequence[TableFile], faults: FaultList) -> tuple[list[str], dict[str, Attribute]]:
    """The keys of all files: what an object lacks is missing, in a whole file, too."""
    declared: dict[str, Attribute] = {}
    for file in files:
        for name, found in file.declared.items():
            merged = merge(declared.get(name, found), found)
            if merged is None:
                _report_other_types(declared, file, faults)
                return list(declared), declared
            declared[name] = merged
    for file in files:
        file.names = list(declared)
    return list(declared), declared


def _differ(one: Attribute, other: Attribute) -> bool:
    return (one.holds, one.classes) != (other.holds, other.classes)


def _report_other_header(names: list[str], file: TableFile, faults: FaultList) -> None:
    place = file_pointer(file.upload.filename, "line 1")
    for name in file.names:
        if name not in names:
            problem = f"column {name!r} is not in the first file; {nearest(name, names)}"
            faults.add(place, "other_columns", problem)
            return
    problem = "the columns are not those of the first file in the same order"
    faults.add(place, "other_columns", problem)


def _report_other_types(declared: Mapping[str, Attribute], file: TableFile, faults: FaultList) -> None:
    names = (name for name, found in file.declared.items() if name in declared)
    name = next(name for name in names if _differ(file.declared[name], declared[name]))
    problem = f"{name!r} is declared otherwise than in the first file; use the same types in all"
    faults.add(file_pointer(file.upload.filename), "other_columns", problem)
