"""One stream of a CTF file on its way into one field."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ingest.arrays import GrowingArray
from ingest.columns import Column
from ingest.faults import FaultList, file_pointer
from ingest.fields import FieldPlan
from ingest.samples import (
    NUMBERS_AT_ONCE,
    BadSample,
    DenseSamples,
    NumberedSamples,
    OneHotSamples,
    Samples,
    SparseSamples,
)


class Stream:
    """Passes samples on and knows where sequences end.

    A stream with one step in every sequence, such as the intent of a sentence, becomes a
    field without sequences.
    """

    def __init__(self, plan: FieldPlan, example: Sequence[bytes], path: Path, faults: FaultList) -> None:
        self._name = plan.columns[0]
        self._told = plan.fitted.sequence if plan.fitted is not None else None
        self._faults = faults
        self._samples = _samples(plan, example, path, faults)
        self._offsets = GrowingArray(path.with_suffix(".offsets.npy"), np.int64)
        self._ends = [0]
        self._count = 0
        self._longest = 0

    def add(self, values: Sequence[bytes], filename: str, line: int) -> None:
        """One step, as written on ``line``. A faulty one counts as a step, too."""
        self._count += 1
        place = file_pointer(filename, f"line {line}", self._name)
        words = f"line {line}: |{self._name}"
        try:
            self._samples.add(values, (place, words))
        except BadSample as bad:
            self._faults.add(place, bad.code, f"{words} {bad.detail}")

    def end_row(self) -> int:
        """The sequence is over; returns how many steps it had."""
        length = self._count - self._ends[-1]
        self._longest = max(self._longest, length)
        self._ends.append(self._count)
        if len(self._ends) > NUMBERS_AT_ONCE:
            self._offsets.append(np.array(self._ends[:-1]))
            del self._ends[:-1]
        return length

    def close(self) -> Column:
        column = self._samples.close()
        self._offsets.append(np.array(self._ends))
        rows = self._offsets.close() - 1
        single = self._longest <= 1 and column.count == rows
        if self._told is False and not single:
            place, problem = (
                "/options/like",
                f"stream |{self._name} has several steps in a sequence, where one is expected",
            )
            self._faults.add(place, "other_kind", problem)
        if single and not self._told:
            self._offsets.path.unlink()
            return column
        column.files["offsets"] = self._offsets.path
        column.sequence = True
        column.max_length = self._longest
        return column


def _samples(plan: FieldPlan, example: Sequence[bytes], path: Path, faults: FaultList) -> Samples:
    """What the options and the stream's first sample make of it."""
    options, at = plan.options, plan.at
    written_sparse = not example or b":" in example[0]
    if options.told_kind == "categorical":
        if not written_sparse and len(example) == 1:
            return NumberedSamples(options, path, faults, plan.cure)
        size = None if written_sparse else len(example)
        if size is not None and options.classes is not None and len(options.classes) != size:
            problem = f"{len(options.classes)} classes for stream |{plan.columns[0]} of {size} values"
            faults.add(at("classes"), "shape", problem)
        return OneHotSamples(size, options, path)
    if options.told_kind in ("dense", "sparse") and written_sparse != (options.told_kind == "sparse"):
        found = "sparse (index:value)" if written_sparse else "dense (values without indices)"
        problem = f"stream |{plan.columns[0]} is written {found}; leave kind out, or write it so"
        faults.add(at("kind"), "other_kind", problem)
    if written_sparse:
        if options.shape is not None and len(options.shape) != 1:
            problem = f"{options.shape}: the shape of a sparse field is one dimension"
            faults.add(at("shape"), "shape", problem)
        return SparseSamples(options.shape[0] if options.shape else None, path, faults)
    shape = options.shape or [len(example)]
    if math.prod(shape) != len(example):
        problem = f"{shape} does not hold the {len(example)} values of stream |{plan.columns[0]}"
        faults.add(at("shape"), "shape", problem)
    return DenseSamples(shape, options, path, faults)
