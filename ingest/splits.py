"""Which rows are for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ingest.arrays import Array
from ingest.columns import Locate
from ingest.faults import FaultList, listing
from ingest.fields import Table
from ingest.options import SPLITS, Options, Split
from jobs.errors import Fault

_CODES: dict[str, int] = {name: code for code, name in enumerate(SPLITS)}


def split_codes(words: Sequence[str], locate: Locate, faults: FaultList) -> bytes:
    """The place in SPLITS of each word; an unknown word is a fault."""
    codes = [_CODES.get(word.casefold(), -1) for word in words]
    wrong = [row for row, code in enumerate(codes) if code < 0]
    faults.extend(len(wrong), (_word_fault(words[row], *locate(row, 0)) for row in wrong))
    return bytes(max(code, 0) for code in codes)


def _word_fault(word: str, place: str, words: str) -> Fault:
    return Fault(place, "unknown_split", f"{words}: {word!r} is no split; say {listing(SPLITS)}")


def split_rows(
    table: Table, filenames: Sequence[str], options: Options, faults: FaultList
) -> dict[Split, Array]:
    """The row numbers of each split, int64, ascending; splits without rows are left out.

    A split that was asked for and gets no row is a fault, as is a train split without rows
    (but not of data that are to be like others).
    """
    asked = options.splits
    if table.split_codes is not None:
        codes = np.frombuffer(table.split_codes, dtype=np.uint8).copy()
    else:
        by_file = {name: _CODES[split] for split, names in (asked.files or {}).items() for name in names}
        rest = _CODES[options.rest]
        codes = np.repeat(
            np.array([by_file.get(name, rest) for name in filenames], np.uint8), table.file_rows
        )
    # RandomState's stream is frozen for good; a Generator's may change with numpy.
    drawn = np.flatnonzero(codes == _CODES["train"])
    np.random.RandomState(asked.seed).shuffle(drawn)
    start = 0
    for name, fraction in sorted((asked.fractions or {}).items()):
        stop = start + round(fraction * len(drawn))
        if stop == start:
            place = f"/options/splits/fractions/{name}"
            faults.add(place, "empty_split", f"{fraction:g} of {len(drawn)} training rows is not one row")
        codes[drawn[start:stop]] = _CODES[name]
        start = stop
    rows: dict[Split, Array] = {}
    for split in SPLITS:
        found = np.flatnonzero(codes == _CODES[split])
        if len(found):
            rows[split] = found.astype(np.int64)
    if "train" not in rows and options.like is None and not faults.count:
        faults.add("/options/splits", "empty_split", "no row is left for training")
    return rows
