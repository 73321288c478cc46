"""One CSV file: its column names, and its rows by the block."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.faults import FaultList, file_pointer, listing
from ingest.fields import Upload
from ingest.lines import LineTooLong, numbered_lines
from ingest.options import Options

CELLS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Block:
    """Some rows, column by column."""

    rows: list[int]
    """The number of each row in its file, from 1, the header not counted."""
    lines: list[int]
    """The line on which each row ends."""
    columns: list[tuple[str, ...]]

    def texts(self, column: int) -> list[str]:
        """The values of one column without the space around them."""
        return [text.strip() for text in self.columns[column]]


class CsvFile:
    """Reads its column names when made; ``names`` is empty where there is a fault."""

    def __init__(self, upload: Upload, options: Options, faults: FaultList) -> None:
        self.upload = upload
        self._options = options
        self.names = self._column_names(faults)

    def blocks(self, faults: FaultList) -> Iterator[Block]:
        """Every row as wide as the names; the others are faults."""
        width = len(self.names)
        block = Block([], [], [])
        values: list[list[str]] = []
        row = blank = 0
        records = self._records(faults)
        if self._options.header:
            next(records, None)
        for line, record in records:
            if not record or (width > 1 and len(record) == 1 and not record[0].strip()):
                blank = blank or line
                continue
            row += 1
            if blank:
                self._report(faults, blank, "ragged", "is blank; only the end of a file may be")
                blank = 0
            if len(record) != width:
                problem = f"has {len(record)} values where {width} columns are named"
                self._report(faults, line, "ragged", problem)
                continue
            block.rows.append(row)
            block.lines.append(line)
            values.append(record)
            if len(values) * width >= CELLS_AT_ONCE:
                yield Block(block.rows, block.lines, list(zip(*values, strict=True)))
                block, values = Block([], [], []), []
        if values:
            yield Block(block.rows, block.lines, list(zip(*values, strict=True)))

    def _records(self, faults: FaultList) -> Iterator[tuple[int, list[str]]]:
        """(line, values); after a fault of the syntax no boundary is sure, so it ends the file."""
        quote = self._options.quote
        reader = csv.reader(
            (line.decode("utf-8") for _, line in numbered_lines(self.upload.path)),
            delimiter=self._options.delimiter or ",",
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
            skipinitialspace=True,
            strict=True,
        )
        try:
            for values in reader:
                yield reader.line_num, values
        except UnicodeDecodeError as error:
            problem = f"byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
            self._report(faults, reader.line_num + 1, "not-utf-8", problem)
        except LineTooLong as error:
            self._report(faults, error.number, "malformed-csv", f"{error}; is this a CSV file?")
        except csv.Error as error:
            problem = f"{error}; check the quotes here and before, and the options delimiter and quote"
            self._report(faults, reader.line_num, "malformed-csv", problem)

    def _column_names(self, faults: FaultList) -> list[str]:
        """From the options, from the header, or made up: ``c1``, ``c2``, ..."""
        before = faults.count
        _, first = next(self._records(faults), (0, []))
        if faults.count > before:
            return []
        if not any(value.strip() for value in first):
            self._report(faults, 1, "empty", "is empty; the file needs a header or values there")
            return []
        place = file_pointer(self.upload.filename, "line 1")
        if self._options.columns is not None:
            names, place = list(self._options.columns), "/options/columns"
        elif self._options.header:
            names = [value.strip() for value in first]
        else:
            names = [f"c{number}" for number in range(1, len(first) + 1)]
        if len(names) != len(first):
            problem = f"{len(names)} names, but line 1 of {self.upload.filename!r} has {len(first)} values"
            faults.add(place, "ragged", problem)
        unnamed = [number for number, name in enumerate(names, 1) if not name]
        if unnamed:
            faults.add(place, "unnamed-column", f"no name for column {listing(map(str, unnamed))}")
        repeated = [name for name, times in Counter(names).items() if name and times > 1]
        if repeated:
            cure = "each needs its own name (where line 1 is no header, give names in /options/columns)"
            faults.add(place, "duplicate-column", f"{listing(repeated)} more than once; {cure}")
        return names if faults.count == before else []

    def _report(self, faults: FaultList, line: int, code: str, problem: str) -> None:
        faults.add(file_pointer(self.upload.filename, f"line {line}"), code, f"line {line}: {problem}")
