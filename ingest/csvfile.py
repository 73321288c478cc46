"""One CSV file: its column names, and its rows by the block."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ingest.attributes import Attribute
from ingest.cells import Block, TextCells, rows_at_once
from ingest.faults import FaultList, file_pointer, listing
from ingest.fields import Upload
from ingest.lines import LineTooLong, lines
from ingest.options import Options

if TYPE_CHECKING:
    from _csv import Reader

_UNREADABLE = (UnicodeDecodeError, LineTooLong, csv.Error)


class CsvFile:
    """Reads its column names when made; ``names`` is empty where there is a fault."""

    def __init__(self, upload: Upload, options: Options, faults: FaultList) -> None:
        self.upload = upload
        self.declared: dict[str, Attribute] = {}
        """A CSV says nothing of its columns but their names."""
        self._options = options
        self._drops = options.surplus == "drop"
        self.names = self._column_names(faults)

    def blocks(self, faults: FaultList) -> Iterator[Block]:
        """Every row as wide as the names; the others are faults."""
        width = len(self.names)
        row = 1
        blank = None
        for line, records in self._batches(rows_at_once(width), faults):
            count = len(records)
            lines = range(line, line + count) if line else None
            if blank is None and set(map(len, records)) == {width}:
                yield self._block(range(row, row + count), lines, records)
                row += count
                continue
            # The uncommon case, row by row: blank lines (at the end they are nothing) and ragged rows.
            rows, kept = [], []
            for index, record in enumerate(records):
                place = f"line {line + index}" if line else f"row {row}"
                if not record or (width > 1 and not any(map(str.strip, record)) and len(record) == 1):
                    blank = blank or place
                    continue
                if blank is not None:
                    self._report(faults, blank, "ragged", "is blank; only the end of a file may be")
                    blank = None
                if len(record) == width or (self._drops and len(record) > width):
                    rows.append(row)
                    kept.append(index)
                else:
                    problem = f"has {len(record)} values where {width} columns are named"
                    self._report(faults, place, "ragged", problem)
                row += 1
            if kept:
                lines_kept = [line + index for index in kept] if line else None
                yield self._block(rows, lines_kept, [records[index][:width] for index in kept])

    def _block(self, rows: Sequence[int], lines: Sequence[int] | None, records: list[list[str]]) -> Block:
        columns = map(TextCells, zip(*records, strict=True))
        return Block(rows, lines, dict(zip(self.names, columns, strict=True)))

    def _batches(self, size: int, faults: FaultList) -> Iterator[tuple[int, list[list[str]]]]:
        """(line of the first, records behind the header), the line 0 where values span lines.

        After a fault of the syntax no boundary is sure, so it ends the file.
        """
        reader = self._reader()
        try:
            if self._options.header:
                next(reader, None)
            while True:
                before = reader.line_num
                records = list(itertools.islice(reader, size))
                if not records:
                    return
                yield before + 1 if reader.line_num - before == len(records) else 0, records
        except _UNREADABLE as error:
            self._report_unreadable(reader.line_num, error, faults)

    def _reader(self) -> Reader:
        quote = self._options.quote
        return csv.reader(
            map(bytes.decode, lines(self.upload.path)),
            delimiter=self._options.delimiter or ",",
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            skipinitialspace=True,
            strict=True,
        )

    def _report_unreadable(self, line: int, error: Exception, faults: FaultList) -> None:
        """``line``: of the last record."""
        if isinstance(error, UnicodeDecodeError):
            problem = f"byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
            self._report(faults, f"line {line + 1}", "not-utf-8", problem)
        elif isinstance(error, LineTooLong):
            self._report(faults, f"line {error.number}", "malformed_csv", f"{error}; is this a CSV file?")
        else:
            problem = f"{error}; check the quotes here and before, and the options delimiter and quote"
            self._report(faults, f"line {line}", "malformed_csv", problem)

    def _column_names(self, faults: FaultList) -> list[str]:
        """From the options, from the header, or made up: ``c1``, ``c2``, ..."""
        before = faults.count
        reader = self._reader()
        try:
            first: list[str] = next(reader, [])
        except _UNREADABLE as error:
            self._report_unreadable(reader.line_num, error, faults)
            return []
        if not any(value.strip() for value in first):
            self._report(faults, "line 1", "empty", "is empty; the file needs a header or values there")
            return []
        place = file_pointer(self.upload.filename, "line 1")
        if self._options.columns is not None:
            names, place = list(self._options.columns), "/options/columns"
        elif self._options.header:
            names = [value.strip() for value in first]
        else:
            names = [f"c{number}" for number in range(1, len(first) + 1)]
        if len(names) != len(first) and not (self._drops and len(names) < len(first)):
            problem = f"{len(names)} names, but line 1 of {self.upload.filename!r} has {len(first)} values"
            faults.add(place, "ragged", problem)
        unnamed = [number for number, name in enumerate(names, 1) if not name]
        if unnamed:
            faults.add(place, "unnamed_column", f"no name for column {listing(map(str, unnamed))}")
        repeated = [name for name, times in Counter(names).items() if name and times > 1]
        if repeated:
            cure = "each needs its own name (where line 1 is no header, give names in /options/columns)"
            faults.add(place, "duplicate_column", f"{listing(repeated)} more than once; {cure}")
        return names if faults.count == before else []

    def _report(self, faults: FaultList, place: str, code: str, problem: str) -> None:
        faults.add(file_pointer(self.upload.filename, place), code, f"{place} {problem}")
