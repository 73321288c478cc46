"""CSV and ARFF: read twice, once to see what each column holds and once to write it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ingest.arff import ArffFile
from ingest.attributes import Attribute
from ingest.columns import CategoricalWriter, Column, DenseWriter, Locate, Place, parse_numbers
from ingest.csvfile import Block, CsvFile
from ingest.faults import FaultList, file_pointer, listing, nearest
from ingest.fields import FieldPlan, Table, Upload, plan_fields
from ingest.options import Options
from ingest.splits import split_codes
from jobs.errors import Fault

MISSING_WORDS = frozenset(("", "?", "na", "n/a", "nan", "null", "none"))
"""What a numeric column may hold where its number is missing. In a column of text only "" is missing."""


class TableFile(Protocol):
    """What the formats have in common: names, perhaps declared kinds, and rows of texts."""

    upload: Upload
    names: list[str]

    @property
    def declared(self) -> Mapping[str, Attribute]: ...

    def blocks(self, faults: FaultList) -> Iterator[Block]: ...


def read(uploads: Sequence[Upload], options: Options, folder: Path, faults: FaultList) -> Table:
    """Write the columns of CSV or ARFF files into ``folder``. Rows are in the order of the files.

    Raises InvalidInput where the header or the options rule out reading on; other faults
    are left in ``faults``.
    """
    kind = ArffFile if options.format == "arff" else CsvFile
    files: list[TableFile] = [kind(upload, options, faults) for upload in uploads]
    faults.raise_if_any()
    names = files[0].names
    for file in files[1:]:
        if file.names != names:
            _report_other_header(names, file, faults)
        elif file.declared != files[0].declared:
            _report_other_types(files[0].declared, file, faults)
    plans = plan_fields(names, options, faults)
    faults.raise_if_any()

    place = {name: index for index, name in enumerate(names)}
    declared = files[0].declared

    def source_of(plan: FieldPlan, name: str) -> _Source:
        return _Source(plan, name, place[name], declared.get(name))

    fields = [(plan, [source_of(plan, name) for name in plan.columns]) for plan in plans]
    sources = [source for _, group in fields for source in group]
    for file in files:
        for block in file.blocks(faults):
            for source in sources:
                source.survey(block)
    for number, source in enumerate(sources):
        source.open(folder / f"column-{number}.npy", faults)
    split = place[options.splits.column] if options.splits.column is not None else None
    codes = bytearray()
    file_rows = []
    for file in files:
        rows = 0
        # The survey has reported what is wrong with the rows themselves.
        for block in file.blocks(FaultList()):
            rows += len(block.rows)
            for source in sources:
                source.write(block, file.upload.filename, faults)
            if split is not None:
                locate = _locator(block, file.upload.filename, names[split])
                codes += split_codes(block.texts(split), locate, faults)
        if not rows and not faults.count:
            faults.add(file_pointer(file.upload.filename), "empty", "the file has no row of values")
        file_rows.append(rows)
    columns = [(plan, [source.close() for source in group]) for plan, group in fields]
    return Table(columns, file_rows, bytes(codes) if split is not None else None)


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
    name = next(name for name, found in file.declared.items() if found != declared[name])
    problem = f"attribute {name!r} is declared otherwise than in the first file; use the same types in all"
    faults.add(file_pointer(file.upload.filename), "other_columns", problem)


def _locator(block: Block, filename: str, column: str) -> Locate:
    def locate(row: int, _: int) -> Place:
        place = file_pointer(filename, f"row {block.rows[row]}", column)
        return place, f"{block.row_words(row)}, column {column!r}"

    return locate


class _Source:
    """One column of the files on its way into one field: surveyed, opened, written, closed."""

    _writer: DenseWriter | CategoricalWriter

    def __init__(self, plan: FieldPlan, name: str, index: int, declared: Attribute | None) -> None:
        self._plan = plan
        self._name = name
        self._index = index
        self._told = None if plan.gathered else plan.options.told_kind
        self._declared = None if declared is None else declared.classes
        if declared is not None and self._told is None:
            # Labels side by side are numbers: one-hot, each would be there twice.
            number = declared.numeric or (plan.gathered and declared.binary)
            self._told = "dense" if number else "categorical"
        self._numeric = True
        self._seen_number = False

    def survey(self, block: Block) -> None:
        """Find out whether the column is numeric: every value a number or missing, and one a number."""
        if self._told is not None or not self._numeric:
            return
        numbers = self._numbers(block)
        if numbers is None:
            present = [text for text in self._texts(block) if text.casefold() not in MISSING_WORDS]
            numbers = parse_numbers(present)
        self._numeric = numbers is not None
        self._seen_number = self._seen_number or bool(numbers)

    def open(self, path: Path, faults: FaultList) -> None:
        """Decide the kind: from now on values are written."""
        options = self._plan.options
        kind = self._told or ("dense" if self._numeric and self._seen_number else "categorical")
        if kind == "sparse":
            problem = "a column of a table is dense or categorical; sparse fields come in CNTK text format"
            faults.add(self._plan.options_at + "/kind", "not_for_format", problem)
        if kind == "dense":
            if not self._plan.gathered and math.prod(options.shape or (1,)) != 1:
                problem = f"{options.shape} is more than the one number of column {self._name!r}"
                faults.add(self._plan.options_at + "/shape", "shape", problem)
            self._writer = DenseWriter(path, (1,), faults, missing=options.missing)
            return
        if options.missing != "error" and not self._plan.gathered:
            problem = f"column {self._name!r} holds text; an empty one gets a class by replace, such as "
            faults.add(self._plan.options_at + "/missing", "missing_policy", problem + '{"": "unknown"}')
        classes = options.classes
        if classes is None and self._declared is not None:
            classes = list(dict.fromkeys(self._replaced(self._declared)))
        self._writer = CategoricalWriter(path, faults, classes, self._plan.options_at)

    def write(self, block: Block, filename: str, faults: FaultList) -> None:
        locate = _locator(block, filename, self._name)
        if isinstance(self._writer, DenseWriter):
            self._check_declared(block, locate, faults)
            numbers = self._numbers(block)
            if numbers is None:
                texts = self._texts(block)
                numbers = [_number(text, row, locate, faults) for row, text in enumerate(texts)]
            self._writer.append(np.array(numbers), locate)
        else:
            texts = self._texts(block)
            if self._plan.options.classes is None and self._declared is None and "" in texts:
                empty = [row for row, text in enumerate(texts) if not text]
                faults.extend(len(empty), (_missing_text(locate(row, 0)) for row in empty))
            self._writer.append(texts, locate)

    def close(self) -> Column:
        return self._writer.close()

    def _numbers(self, block: Block) -> list[float] | None:
        # Numbers may keep the space around them, and most columns are numbers.
        return parse_numbers(self._texts(block) if self._plan.options.replace else block.columns[self._index])

    def _texts(self, block: Block) -> list[str]:
        texts = block.texts(self._index)
        return self._replaced(texts) if self._plan.options.replace else texts

    def _replaced(self, texts: Sequence[str]) -> list[str]:
        replace = self._plan.options.replace
        return [replace.get(text, text) for text in texts]

    def _check_declared(self, block: Block, locate: Locate, faults: FaultList) -> None:
        """A number that stands for a class is one of the declared ones, or missing."""
        if self._declared is None:
            return
        known = {*self._declared, "?"}
        for row, text in enumerate(block.texts(self._index)):
            if text not in known:
                place, words = locate(row, 0)
                declared = listing(self._declared)
                faults.add(
                    place, "unknown_class", f"{words}: {text!r} is not declared; declared are {declared}"
                )


def _number(text: str, row: int, locate: Locate, faults: FaultList) -> float:
    if text.casefold() in MISSING_WORDS:
        return math.nan
    numbers = parse_numbers([text])
    if numbers is not None:
        return numbers[0]
    place, words = locate(row, 0)
    cure = "correct it, replace it, or make the field categorical"
    faults.add(place, "not_a_number", f"{words}: {text!r} is not a number; {cure}")
    return 0.0


def _missing_text(place: Place) -> Fault:
    where, words = place
    cure = 'correct it, or give empty values a class by the field\'s option replace, such as {"": "unknown"}'
    return Fault(where, "missing", f"{words}: the value is empty; {cure}")
