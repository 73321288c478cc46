"""What a layout finds in an archive: its images, their splits, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ingest.columns import Column
from ingest.faults import FaultList
from ingest.fields import FieldPlan
from ingest.images.archives import Archive
from ingest.images.geometry import Placement, Size
from ingest.options import Split

SPLIT_FOLDERS: dict[str, Split] = {
    "train": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}
"""What folders and files of a split are called, and the split."""


@dataclass(frozen=True)
class Entry:
    """One image to be. ``told``: what its layout knows of it, for that layout's annotations alone."""

    archive: Archive
    path: str
    split: Split | None = None
    """None: the archive does not tell."""
    told: Any = None
    unlabelled: bool = False
    """Whether it lacks what others are told of: then it is in no split, and only there to be predicted."""

    @property
    def part(self) -> Split | None:
        """The split, by the archive itself or by the options; None: the rest."""
        return self.split or self.archive.split


@dataclass(frozen=True)
class Row:
    """An image that became a row."""

    entry: Entry
    original: Size
    placement: Placement


class Annotations(Protocol):
    """What is told of the images besides their pixels, as columns."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns, in their order."""

    def check(self, entries: Sequence[Entry], plans: Mapping[str, FieldPlan], faults: FaultList) -> None:
        """Find faults before any image is decoded. ``plans``: the fields by their column."""

    def write(
        self,
        rows: Sequence[Row],
        pixels: Column,
        plans: Mapping[str, FieldPlan],
        folder: Path,
        faults: FaultList,
    ) -> Mapping[str, Column]:
        """The columns that ``plans`` names, row by row. ``pixels``: the rows' images."""


@dataclass(frozen=True)
class Listing:
    """The images of all archives in the order of their rows."""

    entries: list[Entry]
    annotations: Annotations
    scattered: bool = False
    """Whether images and what is told of them may lie in different archives: one may have no image."""
