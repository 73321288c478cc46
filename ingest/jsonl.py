"""One JSONL file: an object a line, a key a column."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ingest.attributes import BOOLEANS, Attribute
from ingest.cells import Block, ValueCells, rows_at_once
from ingest.faults import FaultList, file_pointer
from ingest.fields import Upload
from ingest.lines import LineTooLong, lines
from ingest.options import Options
from jobs.errors import Fault

MOST_KEYS = 100_000


class JsonlFile:
    """Reads the whole file when made, to see which keys there are and what each holds."""

    def __init__(self, upload: Upload, options: Options, faults: FaultList) -> None:
        self.upload = upload
        self.declared: dict[str, Attribute] = {}
        before = faults.count
        for row, line, found in self._objects(faults):
            for key, value in found.items():
                known = self.declared.get(key) or Attribute(key, "nothing")
                self.declared[key] = self._widened(known, value, row, line)
            if len(self.declared) > MOST_KEYS:
                problem = f"more than {MOST_KEYS:,} different keys: are they values?"
                faults.add(file_pointer(upload.filename, f"line {line}"), "malformed_jsonl", problem)
                break
        self.names = list(self.declared) if faults.count == before else []
        if not self.names and faults.count == before:
            faults.add(file_pointer(upload.filename), "empty", "the file has no object with a key")

    def blocks(self, faults: FaultList) -> Iterator[Block]:
        """A key that an object lacks is missing, as a null is. What is wrong was said when reading first."""
        size = rows_at_once(len(self.names))
        rows: list[int] = []
        places: list[int] = []
        objects: list[dict[str, Any]] = []
        for row, line, found in self._objects(FaultList()):
            rows.append(row)
            places.append(line)
            objects.append(found)
            if len(objects) == size:
                yield self._block(rows, places, objects)
                rows, places, objects = [], [], []
        if objects:
            yield self._block(rows, places, objects)

    def _block(self, rows: list[int], places: list[int], objects: list[dict[str, Any]]) -> Block:
        columns = {name: ValueCells([found.get(name) for found in objects]) for name in self.names}
        return Block(rows, places, columns)

    def _objects(self, faults: FaultList) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """(row, line, object) of each line that is not blank; a line that is no object is a fault."""
        row = 0
        decoder = json.JSONDecoder(object_pairs_hook=_distinct)
        try:
            for number, raw in enumerate(lines(self.upload.path), 1):
                if not raw.strip():
                    continue
                row += 1
                code, problem = "malformed_jsonl", ""
                try:
                    found = decoder.decode(raw.decode())
                    if isinstance(found, dict):
                        yield row, number, found
                        continue
                    problem = f'holds {_kind(found)} where an object is expected, such as {{"x": 1}}'
                except UnicodeDecodeError as error:
                    code = "not-utf-8"
                    problem = f"byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
                except json.JSONDecodeError as error:
                    problem = f"is no JSON: {error.msg} at character {error.pos + 1}; write one object a line"
                except (ValueError, RecursionError) as error:
                    problem = f"cannot be read: {error}"
                place = f"line {number}"
                faults.add(file_pointer(self.upload.filename, place), code, f"{place} {problem}")
        except LineTooLong as error:
            place = file_pointer(self.upload.filename, f"line {error.number}")
            faults.add(place, "malformed_jsonl", f"{error}; is this a JSONL file?")

    def _widened(self, known: Attribute, value: object, row: int, line: int) -> Attribute:
        """What a column holds that held ``known`` before and now ``value``."""
        if value is None or known.fault is not None:
            return known
        if known.classes is None and type(value) in _PLAIN.get(known.holds, ()):
            return known
        found = _attribute(known.name, value)
        merged = merge(known, found) if found is not None else None
        if merged is not None:
            return merged
        where = file_pointer(self.upload.filename, f"row {row}", known.name)
        if found is None:
            cure = "write numbers, texts, booleans, or a list of numbers or of texts; or exclude the key"
            problem = f"row {row} (line {line}), key {known.name!r}: {_kind(value)} is no value; {cure}"
            return replace(known, fault=Fault(where, "nested", problem))
        problem = f"row {row} (line {line}), key {known.name!r}: {_kind(value)}, where the rows before "
        problem += f"have {_held(known)}; write all alike, or exclude the key"
        return replace(known, fault=Fault(where, "mixed_values", problem))


_HOLDS = {"numbers": "numbers", "texts": "text", "vectors": "lists of numbers", "words": "lists of texts"}


def _held(known: Attribute) -> str:
    return "booleans" if known.classes is not None else _HOLDS[known.holds]


_PLAIN: dict[str, tuple[type, ...]] = {"numbers": (int, float), "texts": (str,)}
"""Types that need no closer look where a column holds such values already: most values."""


def merge(one: Attribute, other: Attribute) -> Attribute | None:
    """A column that is ``one`` here and ``other`` there; None where it cannot be both."""
    if one.fault or other.holds == "nothing":
        return one
    if other.fault or one.holds == "nothing":
        return other
    if other.size == 0 and one.holds in ("vectors", "words"):
        return one
    if one.size == 0 and other.holds in ("vectors", "words"):
        return other
    return one if (one.holds, one.classes) == (other.holds, other.classes) else None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _attribute(name: str, value: object) -> Attribute | None:
    """What a column of such values holds; None for what no column can hold."""
    if isinstance(value, bool):
        return Attribute(name, "texts", BOOLEANS)
    if isinstance(value, int | float):
        return Attribute(name, "numbers")
    if isinstance(value, str):
        return Attribute(name, "texts")
    if not isinstance(value, list):
        return None
    kinds = {type(element) for element in value if element is not None}
    if kinds <= {int, float}:
        # An empty list goes with either.
        return Attribute(name, "vectors" if value else "words", size=len(value))
    return Attribute(name, "words") if kinds == {str} and None not in value else None


def _kind(value: object) -> str:
    words = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", type(None): "null"}
    return words.get(type(value), "a number")
