"""One class an image: the column ``class``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ingest.arrays import GrowingArray
from ingest.columns import Column, in_order, parse_numbers
from ingest.faults import FaultList, nearest
from ingest.fields import FieldPlan
from ingest.images.listing import Entry, Row

CLASS = "class"
UNLABELLED = -1
"""The code of an image without a class."""


class Labels:
    """``Entry.told`` is the image's class, or None where it has none.

    The classes are ``names``, else those of the training images; the options, or the data set that
    this one is to be like, may tell others. ``numbered``: images tell numbers, which stand for the
    names that the options give, where these are no numbers themselves.
    """

    def __init__(
        self, entries: Sequence[Entry], names: Sequence[str] | None = None, *, numbered: bool = False
    ) -> None:
        self._numbered = numbered
        self._labelled = any(entry.told is not None for entry in entries)
        if names is None:
            trained = {entry.told for entry in entries if entry.part in (None, "train")} - {None}
            names = in_order(trained or {entry.told for entry in entries} - {None})
        self._names = list(names)

    @property
    def columns(self) -> Sequence[str]:
        return (CLASS,) if self._labelled else ()

    def check(self, entries: Sequence[Entry], plans: Mapping[str, FieldPlan], faults: FaultList) -> None:
        """A class that is none of the classes is one fault, however many images it has."""
        if CLASS not in plans:
            return
        plan = plans[CLASS]
        classes, code_of = self._classes(plan)
        found: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.told is not None and entry.told not in code_of:
                found.setdefault(entry.told, []).append(entry)
        for name, members in found.items():
            first = members[0]
            known = nearest(name, classes)
            problem = f"{name!r} is no class ({len(members):,} images, such as {first.path!r}); "
            if plan.options.classes is None:
                problem = f"the training images have no class {name!r}, which {len(members):,} others have; "
            problem += f"{plan.cure}; {known}"
            faults.add(first.archive.at(first.path), "unknown_class", problem)

    def write(
        self,
        rows: Sequence[Row],
        pixels: Column,
        plans: Mapping[str, FieldPlan],
        folder: Path,
        faults: FaultList,
    ) -> Mapping[str, Column]:
        if CLASS not in plans:
            return {}
        classes, code_of = self._classes(plans[CLASS])
        codes = GrowingArray(folder / "column-class.npy", np.int32)
        told = [row.entry.told for row in rows]
        codes.append(np.array([UNLABELLED if name is None else code_of[name] for name in told], np.int32))
        files = {"values": codes.path}
        return {CLASS: Column("categorical", (len(classes),), files, codes.close(), "int32", classes)}

    def _classes(self, plan: FieldPlan) -> tuple[list[str], dict[str, int]]:
        """The classes, and the code of each that an image may tell."""
        given = plan.options.classes
        classes = given if given is not None else self._names
        if self._numbered and parse_numbers(classes) is None:
            return classes, {str(code): code for code in range(len(classes))}
        return classes, {name: code for code, name in enumerate(classes)}


def with_unlabelled(entries: Sequence[Entry], anywhere: bool, faults: FaultList) -> list[Entry]:
    """The entries, those without a class marked where others have one.

    They belong in test; ``anywhere``: or in any split.
    """
    if all(entry.told is None for entry in entries):
        return list(entries)
    for entry in entries:
        if entry.told is None and not (anywhere or entry.part == "test"):
            problem = f"{entry.path!r} has no class, as others have; only images for test may have none"
            faults.add(entry.archive.at(entry.path), "unlabelled", problem)
    return [replace(entry, unlabelled=entry.told is None) for entry in entries]
