"""Vocabularies: chosen by the training split, shared where fields are told to, and put into the codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ingest.arrays import Array, blocks, open_rows
from ingest.faults import FaultList, file_pointer
from ingest.field_options import TokenOptions
from ingest.fields import FieldPlan, Table
from ingest.options import Split
from ingest.statistics import entry_blocks
from ingest.tokens import TokenColumn
from jobs.dataset import TokensSchema, UnknownTokens
from jobs.errors import Fault

Member = tuple[FieldPlan, TokenColumn]


def settle(
    members: Sequence[Member],
    table: Table,
    filenames: Sequence[str],
    rows: Mapping[Split, Array],
    faults: FaultList,
) -> None:
    """Give every column of tokens its vocabulary: classes, codes, and what is known of them.

    A token that is in no vocabulary, where there is no word for unknown ones, is a fault.
    """
    train = rows.get("train", np.empty(0, np.int64))
    for root, group in _groups(members, faults).items():
        counts: Counter[str] = Counter()
        for _, column in group:
            counts += _counts(column, train)
        leader = next(plan for plan, _ in group if plan.name == root)
        options = token_options(leader)
        given = leader.options.classes
        classes = given if given is not None else _most_frequent(counts, options)
        fitted = leader.fitted.tokens if leader.fitted else None
        found = fitted.found if fitted else len(counts.keys() - {options.unknown})
        for plan, column in group:
            unknown = classes.index(options.unknown) if options.unknown is not None else None
            _renumber(plan, column, classes, unknown, _Places(table, filenames), faults)
            column.tokens = _describe(plan, column, unknown, found, rows)


def token_options(plan: FieldPlan) -> TokenOptions:
    """Columns of lists become tokens without being told."""
    return plan.options.tokens or TokenOptions()


def _groups(members: Sequence[Member], faults: FaultList) -> dict[str, list[Member]]:
    """Who shares a vocabulary, by the name of the field that it is of."""
    groups: dict[str, list[Member]] = {}
    own = {plan.name for plan, _ in members if token_options(plan).vocabulary_of is None or plan.fitted}
    for plan, column in members:
        root = token_options(plan).vocabulary_of
        if root is None or plan.fitted is not None:
            root = plan.name
        elif root not in own:
            problem = f"{root!r} is no field of tokens with a vocabulary of its own"
            faults.add(plan.at("tokens", "vocabulary_of"), "vocabulary", problem)
            continue
        groups.setdefault(root, []).append((plan, column))
    return groups


def _counts(column: TokenColumn, train: Array) -> Counter[str]:
    """Training steps of each token."""
    assert column.classes is not None
    codes = open_rows(column.files["values"])
    found = np.zeros(len(column.classes), np.int64)
    for entries in entry_blocks(column, train):
        found += np.bincount(codes[entries], minlength=len(found))
    return Counter({column.classes[code]: int(found[code]) for code in np.flatnonzero(found)})


def _most_frequent(counts: Counter[str], options: TokenOptions) -> list[str]:
    """By falling count, ties by text, the unknown word before all."""
    ranked = sorted(
        (text for text, count in counts.items() if count >= options.min_count and text != options.unknown),
        key=lambda text: (-counts[text], text),
    )
    first = [options.unknown] if options.unknown is not None else []
    return first + ranked[: options.max_vocabulary - len(first)]


def _renumber(
    plan: FieldPlan,
    column: TokenColumn,
    classes: list[str],
    unknown: int | None,
    places: _Places,
    faults: FaultList,
) -> None:
    """Codes as places in ``classes``."""
    texts = column.classes
    assert texts is not None
    place = {text: code for code, text in enumerate(classes)}
    none = -1 if unknown is None else unknown
    codes_of = np.array([place.get(text, none) for text in texts], dtype=np.int32)
    codes = open_rows(column.files["values"], writable=True)
    offsets = open_rows(column.files["offsets"])

    def faults_of(block: slice, steps: Array) -> Iterator[Fault]:
        for step in steps.tolist():
            row = int(np.searchsorted(offsets, block.start + step, side="right")) - 1
            yield _unknown_fault(plan, texts[codes[block.start + step]], *places.of(row, plan.columns[0]))

    for block in blocks(len(codes), 4):
        renumbered = codes_of[codes[block]]
        wrong = np.flatnonzero(renumbered < 0)
        if len(wrong):
            faults.extend(len(wrong), faults_of(block, wrong))
        codes[block] = renumbered
    column.classes = classes
    column.shape = (len(classes),)


def _unknown_fault(plan: FieldPlan, token: str, where: str, words: str) -> Fault:
    if plan.fitted is not None:
        cure = "the vocabulary of the data set in /options/like has no word for unknown ones"
    else:
        cure = f"correct it, or name a class for unknown ones in {plan.at('tokens', 'unknown')}"
    return Fault(where, "unknown_token", f"{words}: {token!r} is not in the vocabulary; {cure}")


def _describe(
    plan: FieldPlan, column: TokenColumn, unknown: int | None, found: int, rows: Mapping[Split, Array]
) -> TokensSchema:
    options, tokenizer = token_options(plan), column.tokenizer
    fitted = plan.fitted.tokens if plan.fitted is not None else None
    codes = open_rows(column.files["values"])
    cut = np.array(column.cut, dtype=np.int64)
    lost: dict[Split, UnknownTokens] = {}
    for split, members in rows.items() if unknown is not None else ():
        count = steps = 0
        for entries in entry_blocks(column, members):
            count += int(np.count_nonzero(codes[entries] == unknown))
            steps += len(entries)
        lost[split] = UnknownTokens(count=count, share=count / max(1, steps))
    return TokensSchema(
        pattern=tokenizer.pattern,
        lowercase=tokenizer.lowercase,
        unknown=options.unknown,
        empty=options.empty,
        max_length=options.max_length,
        vocabulary_of=fitted.vocabulary_of if fitted is not None else options.vocabulary_of,
        found=found,
        unknown_tokens=lost,
        cut_rows={split: int(np.isin(cut, members).sum()) for split, members in rows.items()},
    )


class _Places:
    """Where in the upload a row of the data set stands."""

    def __init__(self, table: Table, filenames: Sequence[str]) -> None:
        self._filenames = filenames
        self._ends = np.cumsum(table.file_rows)

    def of(self, row: int, column: str) -> tuple[str, str]:
        file = int(np.searchsorted(self._ends, row, side="right"))
        number = row - (int(self._ends[file - 1]) if file else 0) + 1
        place = file_pointer(self._filenames[file], f"row {number}", column)
        return place, f"row {number}, column {column!r}"
