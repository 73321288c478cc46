"""One ARFF file: its attributes, and its rows by the block, dense ones and sparse ones alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ingest.attributes import Attribute
from ingest.cells import Block, TextCells, rows_at_once
from ingest.faults import FaultList, file_pointer, listing
from ingest.fields import Upload
from ingest.lines import LineTooLong, lines
from ingest.options import Options

_NAME = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{,'"]+"""
_ATTRIBUTE = re.compile(rf"@attribute\s+({_NAME})\s*(\{{.*\}}|\S+.*)$", re.IGNORECASE)
_VALUE = re.compile(r"""\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,'"]*?)\s*(?:,|$)""")
_PAIR = re.compile(r"(\d+)\s+(.*)", re.DOTALL)
_NUMERIC = ("numeric", "real", "integer")
_TEXT = ("string", "date")
_UNREADABLE = (UnicodeDecodeError, LineTooLong)


class ArffFile:
    """Reads its attributes when made; ``names`` is empty where there is a fault."""

    def __init__(self, upload: Upload, options: Options, faults: FaultList) -> None:
        self.upload = upload
        self.attributes: list[Attribute] = []
        self._data_line = 0
        before = faults.count
        self._read_header(faults)
        self.names = [found.name for found in self.attributes] if faults.count == before else []

    @property
    def declared(self) -> dict[str, Attribute]:
        return {found.name: found for found in self.attributes}

    def blocks(self, faults: FaultList) -> Iterator[Block]:
        """Every row as wide as the attributes; the others are faults."""
        size = rows_at_once(len(self.names))
        zeros = [found.zero for found in self.attributes]
        rows: list[int] = []
        places: list[int] = []
        records: list[list[str]] = []
        row = 0
        for line, text in self._lines(self._data_line, faults):
            row += 1
            record = (
                self._sparse(line, text, zeros, faults) if text[0] == "{" else self._dense(line, text, faults)
            )
            if record is None:
                continue
            rows.append(row)
            places.append(line)
            records.append(record)
            if len(records) == size:
                yield self._block(rows, places, records)
                rows, places, records = [], [], []
        if records:
            yield self._block(rows, places, records)

    def _block(self, rows: list[int], places: list[int], records: list[list[str]]) -> Block:
        columns = map(TextCells, zip(*records, strict=True))
        return Block(rows, places, dict(zip(self.names, columns, strict=True)))

    def _dense(self, line: int, text: str, faults: FaultList) -> list[str] | None:
        record = _values(text)
        width = len(self.names)
        if record is None:
            self._report(
                faults, line, "malformed_arff", "has a quote that is not closed or stands in a value"
            )
        elif len(record) != width:
            problem = f"has {len(record)} values where {width} attributes are declared"
            self._report(faults, line, "ragged", problem)
        else:
            return record
        return None

    def _sparse(self, line: int, text: str, zeros: Sequence[str], faults: FaultList) -> list[str] | None:
        """``{2 0.5, 7 yes}``: attributes by their number from 0, the others as ``zeros``."""
        record = list(zeros)
        pairs = _pairs(text)
        if pairs is None:
            problem = "is no sparse row: pairs of attribute number and value, such as {0 1.5, 3 yes}"
            self._report(faults, line, "malformed_arff", problem)
            return None
        for index, value in pairs:
            if index >= len(record):
                problem = f"names attribute {index}, which is not in 0..{len(record) - 1}"
                self._report(faults, line, "out_of_range", problem)
                return None
            record[index] = value
        repeated = [index for index, times in Counter(index for index, _ in pairs).items() if times > 1]
        if repeated:
            self._report(faults, line, "malformed_arff", f"names attribute {repeated[0]} more than once")
            return None
        return record

    def _read_header(self, faults: FaultList) -> None:
        for line, text in self._lines(0, faults):
            word = text.split(None, 1)[0].lower()
            if word == "@data":
                self._data_line = line
                break
            if word == "@attribute":
                self._declare(line, text, faults)
            elif word != "@relation":
                problem = f"has {text[:40]!r} where @attribute or @data is expected"
                self._report(faults, line, "malformed_arff", problem)
                return
        else:
            if not faults.count:
                problem = "there is no @data line; an ARFF file has @attribute lines, @data and rows"
                faults.add(file_pointer(self.upload.filename), "malformed_arff", problem)
            return
        if not self.attributes and not faults.count:
            self._report(
                faults, self._data_line, "malformed_arff", "begins the data, and no attribute is declared"
            )
        times = Counter(found.name for found in self.attributes)
        if repeated := [name for name, count in times.items() if count > 1]:
            place = file_pointer(self.upload.filename)
            faults.add(
                place, "duplicate_column", f"{listing(repeated)} more than once; each needs its own name"
            )

    def _declare(self, line: int, text: str, faults: FaultList) -> None:
        found = _ATTRIBUTE.match(text)
        if not found or not (name := _unquoted(found[1])):
            self._report(faults, line, "malformed_arff", "is no '@attribute name type'")
            return
        kind = found[2].strip()
        if kind[0] == "{":
            classes = _values(kind[1:-1]) if kind[-1] == "}" else None
            if not classes or len(set(classes)) < len(classes):
                problem = f"gives no list of different classes for {name!r}, such as {{no, yes}}"
                self._report(faults, line, "malformed_arff", problem)
                return
            self.attributes.append(Attribute(name, "texts", tuple(classes)))
        elif kind.split()[0].lower() in (*_NUMERIC, *_TEXT):
            number = kind.split()[0].lower() in _NUMERIC
            self.attributes.append(Attribute(name, "numbers" if number else "texts"))
        else:
            known = listing([*_NUMERIC, *_TEXT])
            problem = (
                f"gives {name!r} the type {kind[:40]!r}; known are {known} and lists of classes in braces"
            )
            self._report(faults, line, "malformed_arff", problem)

    def _lines(self, behind: int, faults: FaultList) -> Iterator[tuple[int, str]]:
        """(number, text) of each line behind line ``behind`` that is neither blank nor a comment."""
        number = 0
        try:
            for number, raw in enumerate(lines(self.upload.path), 1):
                if number > behind:
                    text = raw.decode().strip()
                    if text and text[0] != "%":
                        yield number, text
        except _UNREADABLE as error:
            if isinstance(error, UnicodeDecodeError):
                problem = f"byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
                self._report(faults, number, "not-utf-8", problem)
            else:
                self._report(faults, error.number, "malformed_arff", f"{error}; is this an ARFF file?")

    def _report(self, faults: FaultList, line: int, code: str, problem: str) -> None:
        place = f"line {line}"
        faults.add(file_pointer(self.upload.filename, place), code, f"{place} {problem}")


def _unquoted(text: str) -> str:
    if text[:1] in ("'", '"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _values(text: str) -> list[str] | None:
    """The values between commas; None where quotes do not close."""
    if "'" not in text and '"' not in text:
        return [value.strip() for value in text.split(",")]
    found: list[str] = []
    at = 0
    while True:
        value = _VALUE.match(text, at)
        if value is None:
            return None
        found.append(_unquoted(value[1]))
        at = value.end()
        if value[0][-1:] != ",":
            return found


def _pairs(text: str) -> list[tuple[int, str]] | None:
    if text[-1] != "}":
        return None
    found = []
    # A quoted value may hold a comma, so the numbers are taken off one by one.
    at, inner = 0, text[1:-1].strip()
    while at < len(inner):
        pair = _PAIR.match(inner, at)
        value = _VALUE.match(pair[2]) if pair else None
        if pair is None or value is None or not value[1]:
            return None
        found.append((int(pair[1]), _unquoted(value[1])))
        at = pair.start(2) + value.end()
        while inner[at : at + 1].isspace():
            at += 1
    return found
