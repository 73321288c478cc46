"""What a column of a table is written as: numbers, classes, tokens or hashed places."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ingest.arrays import Array
from ingest.attributes import BOOLEANS, Attribute
from ingest.cells import Cells
from ingest.columns import CategoricalWriter, Column, DenseWriter, Locate, Place, parse_numbers
from ingest.faults import FaultList, listing
from ingest.fields import FieldPlan
from ingest.hashing import HashWriter
from ingest.tokens import SlowPattern, Tokenizer, TokenWriter, present
from ingest.vocabulary import token_options
from jobs.errors import Fault

MISSING_WORDS = frozenset(("", "?", "na", "n/a", "nan", "null", "none"))
"""What a numeric column may hold where its number is missing. In a column of text only "" is missing."""


def texts_of(cells: Cells, replace: dict[str, str]) -> list[str]:
    texts = cells.texts()
    return [replace.get(text, text) for text in texts] if replace else texts


def numbers_of(cells: Cells, replace: dict[str, str]) -> Sequence[float] | Array | None:
    """The values as numbers; None where one is none."""
    return parse_numbers(texts_of(cells, replace)) if replace else cells.numbers()


class Sink(Protocol):
    """Writes the values of one column as one kind of column."""

    def write(self, cells: Cells, locate: Locate) -> None: ...

    def close(self) -> Column: ...


class NumberSink:
    def __init__(
        self, plan: FieldPlan, name: str, declared: Attribute | None, path: Path, faults: FaultList
    ) -> None:
        self._replace = plan.options.replace
        self._faults = faults
        self._labels = plan.options.columns_from is not None
        self._classes = declared.classes if declared is not None else None
        self._size = declared.size if declared is not None and declared.holds == "vectors" else None
        shape = (self._size or 1,) if plan.gathered else tuple(plan.options.shape or (self._size or 1,))
        self._writer = DenseWriter(path, shape, faults, missing=plan.options.missing)

    def write(self, cells: Cells, locate: Locate) -> None:
        if self._size is not None:
            self._write_vectors(cells, self._size, locate)
            return
        self._check_declared(cells, locate)
        numbers = numbers_of(cells, self._replace)
        if numbers is None:
            texts = texts_of(cells, self._replace)
            numbers = [_number(text, row, locate, self._faults) for row, text in enumerate(texts)]
        values = np.asarray(numbers, dtype=np.float64)
        if self._labels:
            wrong = np.flatnonzero((values != 0) & (values != 1))
            self._faults.extend(
                len(wrong), (_label_fault(values[row], locate(row, 0)) for row in wrong.tolist())
            )
        self._writer.append(values, locate)

    def _write_vectors(self, cells: Cells, size: int, locate: Locate) -> None:
        values, wrong = cells.vectors(size)
        self._faults.extend(
            len(wrong), (_length_fault(length, size, locate(row, 0)) for row, length in wrong)
        )
        # Their numbers are missing, too, and that is said already.
        values[[row for row, _ in wrong]] = 0

        def element(row: int, number: int) -> Place:
            place, words = locate(row, number)
            return place, f"{words}, number {number + 1}"

        self._writer.append(values, element)

    def _check_declared(self, cells: Cells, locate: Locate) -> None:
        """A number that stands for a class is one of the declared ones, or missing."""
        if self._classes is None or self._classes == BOOLEANS:
            return
        known = {*self._classes, "?"}
        for row, text in enumerate(cells.texts()):
            if text not in known:
                place, words = locate(row, 0)
                problem = f"{words}: {text!r} is not declared; declared are {listing(self._classes)}"
                self._faults.add(place, "unknown_class", problem)

    def close(self) -> Column:
        return self._writer.close()


class ClassSink:
    def __init__(
        self, plan: FieldPlan, name: str, declared: Attribute | None, path: Path, faults: FaultList
    ) -> None:
        self._replace = plan.options.replace
        self._faults = faults
        fitted = plan.fitted_column(name)
        classes = plan.options.classes if fitted is None or fitted.classes is None else fitted.classes
        if classes is None and declared is not None and declared.classes is not None:
            replaced = [self._replace.get(text, text) for text in declared.classes]
            classes = list(dict.fromkeys(replaced))
        # Where classes are told or declared, an empty text is one of them or refused as none.
        self._may_be_empty = classes is not None and (declared is None or declared.classes != BOOLEANS)
        self._stand_in = classes[0] if classes else ""
        self._writer = CategoricalWriter(path, faults, classes, plan.cure)

    def write(self, cells: Cells, locate: Locate) -> None:
        texts = texts_of(cells, self._replace)
        if not self._may_be_empty:
            report_empty(texts, locate, self._faults)
            texts = [text or self._stand_in for text in texts]
        self._writer.append(texts, locate)

    def close(self) -> Column:
        return self._writer.close()


class HashSink:
    def __init__(
        self, plan: FieldPlan, name: str, declared: Attribute | None, path: Path, faults: FaultList
    ) -> None:
        self._replace = plan.options.replace
        self._faults = faults
        assert plan.options.hashing is not None
        self._writer = HashWriter(path, name, plan.options.hashing)

    def write(self, cells: Cells, locate: Locate) -> None:
        texts = texts_of(cells, self._replace)
        report_empty(texts, locate, self._faults)
        self._writer.append(texts)

    def close(self) -> Column:
        return self._writer.close()


class TokenSink:
    def __init__(
        self, plan: FieldPlan, name: str, declared: Attribute | None, path: Path, faults: FaultList
    ) -> None:
        options = token_options(plan)
        self._replace = plan.options.replace
        self._faults = faults
        self._lists = declared is not None and declared.holds in ("vectors", "words")
        self._slow = False
        tokenizer = Tokenizer(options, lists=self._lists)
        self._writer = TokenWriter(path, options, tokenizer, plan.at("tokens"), faults)

    def write(self, cells: Cells, locate: Locate) -> None:
        tokenizer = self._writer.tokenizer
        rows: list[list[str]] = []
        if self._lists:
            for row, words in enumerate(cells.words()):
                if words is not None and None in words:
                    place, where = locate(row, 0)
                    problem = f"{where}: a token is null; write all of them, or a word for it"
                    self._faults.add(place, "missing", problem)
                rows.append(tokenizer.clean([self._replace.get(word, word) for word in present(words)]))
        else:
            for row, text in enumerate(texts_of(cells, self._replace)):
                try:
                    # After one slow text the upload is refused: the others would be as slow.
                    rows.append(tokenizer.split(text) if not self._slow else [text])
                except SlowPattern:
                    self._slow = True
                    place, where = locate(row, 0)
                    problem = (
                        f"{where}: the pattern {tokenizer.pattern!r} takes too long; write a simpler one"
                    )
                    self._faults.add(place, "slow_pattern", problem)
                    rows.append([text])
        self._writer.append(rows, locate)

    def close(self) -> Column:
        return self._writer.close()


def report_empty(texts: Sequence[str], locate: Locate, faults: FaultList) -> None:
    """An empty text is no category."""
    if "" in texts:
        empty = [row for row, text in enumerate(texts) if not text]
        faults.extend(len(empty), (_missing_text(locate(row, 0)) for row in empty))


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


def _label_fault(value: float, place: Place) -> Fault:
    where, words = place
    return Fault(where, "not_a_label", f"{words}: {value:g} is no label; labels are 0 or 1")


def _length_fault(length: int, size: int, place: Place) -> Fault:
    where, words = place
    cure = "lists of numbers are equally long; as tokens (the option of that name) they need not be"
    return Fault(where, "ragged", f"{words} has {length} numbers where {size} are expected; {cure}")
