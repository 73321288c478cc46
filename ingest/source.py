"""One column of a table on its way into one field: surveyed, opened, written, closed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from ingest.attributes import Attribute, Holds
from ingest.cells import Block
from ingest.columns import Column, Locate, Place, parse_numbers
from ingest.faults import FaultList, file_pointer
from ingest.fields import FieldPlan
from ingest.sinks import MISSING_WORDS, ClassSink, HashSink, NumberSink, Sink, TokenSink, numbers_of, texts_of
from jobs.errors import Fault

Taken = Literal["numbers", "classes", "tokens", "hashed"]
"""How a field takes in a column: jobs.dataset.ColumnSchema's kinds."""


_SINKS: dict[Taken, type[NumberSink | ClassSink | TokenSink | HashSink]] = {
    "numbers": NumberSink,
    "classes": ClassSink,
    "tokens": TokenSink,
    "hashed": HashSink,
}


def locator(block: Block, filename: str, column: str) -> Locate:
    def locate(row: int, _: int) -> Place:
        place = file_pointer(filename, f"row {block.rows[row]}", column)
        return place, f"{block.row_words(row)}, column {column!r}"

    return locate


class Source:
    """The column ``name`` for the field of ``plan``."""

    def __init__(self, plan: FieldPlan, name: str, declared: Attribute | None) -> None:
        self.name = name
        self._plan = plan
        self._declared = declared
        self._taken = _told(plan, name, declared)
        self._numeric = True
        self._seen_number = False
        self._sink: Sink

    @property
    def undecided(self) -> bool:
        """Whether only its values can tell what it is."""
        return self._taken is None

    def survey(self, block: Block) -> None:
        """Find out whether the column is numeric: every value a number or missing, and one a number."""
        if self._taken is not None or not self._numeric:
            return
        numbers = numbers_of(block.columns[self.name], self._plan.options.replace)
        if numbers is None:
            texts = texts_of(block.columns[self.name], self._plan.options.replace)
            numbers = parse_numbers([text for text in texts if text.casefold() not in MISSING_WORDS])
        self._numeric = numbers is not None
        self._seen_number = self._seen_number or bool(numbers)

    def open(self, path: Path, faults: FaultList) -> None:
        """Decide what the column is: from now on values are written."""
        taken = self._taken or ("numbers" if self._numeric and self._seen_number else "classes")
        declared = self._declared
        if declared is not None and declared.fault is not None:
            faults.extend(1, [declared.fault])
        elif (problem := _problem(self._plan, self.name, declared, taken)) is not None:
            faults.extend(1, [problem])
        self._sink = _SINKS[taken](self._plan, self.name, declared, path, faults)

    def write(self, block: Block, filename: str) -> None:
        self._sink.write(block.columns[self.name], locator(block, filename, self.name))

    def close(self) -> Column:
        return self._sink.close()


def _told(plan: FieldPlan, name: str, declared: Attribute | None) -> Taken | None:
    """What the options and the file say of the column."""
    options, fitted = plan.options, plan.fitted_column(name)
    if fitted is not None:
        assert fitted.kind != "pairs"
        return fitted.kind
    if options.hashing is not None:
        return "hashed"
    if options.tokens is not None or (declared is not None and declared.holds == "words"):
        return "tokens"
    if options.encode == "one_hot" and len(plan.columns) == 1:
        return "classes"
    if not plan.gathered and options.told_kind is not None:
        return "classes" if options.told_kind == "categorical" else "numbers"
    if declared is None:
        return None
    # Labels side by side are numbers: one-hot, each would be there twice.
    number = declared.holds != "texts" or (plan.gathered and declared.binary)
    return "numbers" if number else "classes"


def _problem(plan: FieldPlan, name: str, declared: Attribute | None, taken: Taken) -> Fault | None:
    """Why the column cannot be taken so."""
    holds = declared.holds if declared is not None else "texts"
    size = declared.size if declared is not None and holds == "vectors" else 1
    if plan.fitted is not None:
        return _unlike(plan, name, holds, size)
    return _misheld(plan, name, holds, taken) or _mistold(plan, name, size, taken)


def _unlike(plan: FieldPlan, name: str, holds: Holds, size: int) -> Fault | None:
    """Why the column is not what it was in the data set that this one is to be like."""
    fitted = plan.fitted_column(name)
    assert fitted is not None
    assert plan.fitted is not None
    tokens = plan.fitted.tokens
    lists_wanted = tokens is not None and tokens.pattern is None
    lists = holds == "words" or (holds == "vectors" and fitted.kind != "numbers")
    if lists != lists_wanted:
        wanted = "lists of tokens" if lists_wanted else fitted.kind
        return Fault(plan.at(), "other_kind", f"column {name!r} holds {holds}, where {wanted} are expected")
    if fitted.kind == "numbers" and fitted.size != size:
        problem = f"column {name!r} has {size} numbers a row, where {fitted.size} are expected"
        return Fault(plan.at(), "shape", problem)
    return None


def _misheld(plan: FieldPlan, name: str, holds: Holds, taken: Taken) -> Fault | None:
    """Why a column of lists cannot be taken so."""
    options, at = plan.options, plan.at
    lists = holds in ("vectors", "words")
    if lists and taken in ("classes", "hashed"):
        problem = f"column {name!r} holds lists, and is no column of {taken}; leave kind and encode out"
        return Fault(at("kind"), "other_kind", problem)
    if taken == "tokens" and options.told_kind not in (None, "categorical"):
        problem = f"column {name!r} holds lists of text, which are categorical; leave kind out"
        return Fault(at("kind"), "other_kind", problem)
    if taken == "tokens" and plan.gathered:
        problem = f"column {name!r} holds sequences, which are not gathered; make it a field of its own"
        return Fault(at("encode" if options.encode else "columns"), "gathered", problem)
    if lists and options.tokens is not None and options.tokens.pattern is not None:
        problem = f"column {name!r} holds lists, which are tokens as they are; leave the pattern out"
        return Fault(at("tokens", "pattern"), "conflict", problem)
    return None


def _mistold(plan: FieldPlan, name: str, size: int, taken: Taken) -> Fault | None:
    """Which option does not go with what the column holds."""
    options, at = plan.options, plan.at
    if options.kind == "sparse" and taken != "hashed":
        problem = "a column of a table is dense or categorical; sparse fields are hashed, or of CNTK text"
        return Fault(at("kind"), "not_for_format", problem)
    if plan.gathered:
        return None
    if taken == "numbers" and options.shape and math.prod(options.shape) != size:
        held = "the one number" if size == 1 else f"the {size} numbers a row"
        problem = f"{options.shape} does not hold {held} of column {name!r}"
        return Fault(at("shape"), "shape", problem)
    if taken == "classes" and options.missing != "error":
        problem = f"column {name!r} holds text; an empty one gets a class by replace, such as "
        return Fault(at("missing"), "missing_policy", problem + '{"": "unknown"}')
    return None
