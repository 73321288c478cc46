"""Annotated images as fields: boxes, their classes and difficulty, and where each image was put."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ingest.annotations.boxes import AnnotatedImage, Box, Corners, Files, Size, clipped, refused
from ingest.arrays import Array, GrowingArray
from ingest.columns import Column
from ingest.faults import LISTED, FaultList
from jobs.dataset import BoxesSchema

Outside = Literal["refuse", "clip"]


class Placement(Protocol):
    """How an original image lies in the stored one: stored = original x scale + offset."""

    @property
    def scale_x(self) -> float: ...
    @property
    def scale_y(self) -> float: ...
    @property
    def left(self) -> float: ...
    @property
    def top(self) -> float: ...


class Steps:
    """A field of as many steps a row as the row has boxes; none is allowed."""

    def __init__(
        self, path: Path, shape: Sequence[int], dtype: str = "float32", classes: list[str] | None = None
    ) -> None:
        """With ``classes``, a categorical field: the steps are codes, ``shape`` is ()."""
        self._values = GrowingArray(path.with_suffix(".values.npy"), dtype, shape)
        self._offsets = path.with_suffix(".offsets.npy")
        self._ends = [0]
        self._longest = 0
        self._classes = classes

    def add(self, steps: Array) -> None:
        """The next row, (n, *shape)."""
        self._values.append(steps)
        self._ends.append(self._values.rows)
        self._longest = max(self._longest, self._ends[-1] - self._ends[-2])

    def close(self) -> Column:
        count = self._values.close()
        np.save(self._offsets, np.array(self._ends, dtype=np.int64))
        return Column(
            "dense" if self._classes is None else "categorical",
            self._values.shape if self._classes is None else (len(self._classes),),
            {"values": self._values.path, "offsets": self._offsets},
            count,
            dtype=self._values.dtype.name,
            classes=self._classes,
            sequence=True,
            max_length=self._longest,
        )


class Limits:
    """Brings boxes from original to stored images, and holds them against both.

    What no image can have is a fault or, where ``outside`` is "clip", cut, counted and named.
    """

    def __init__(self, stored: Size, outside: Outside, files: Files, faults: FaultList) -> None:
        """``stored``: the size of the stored images."""
        self.stored = stored
        self._outside: Outside = outside
        self._files = files
        self._faults = faults
        self._clipped = self._dropped = 0
        self._named: list[str] = []

    def on_stored(
        self, corners: Corners, original: Size, placement: Placement, place: str, words: str
    ) -> Corners | None:
        """Where a box lies on the stored image; None where nothing is left of it.

        ``original``: the true size of the image, upright. ``place``: the pointer of the box, ``words`` the
        same.
        """
        wrong = refused(corners, original)
        if wrong is not None and self._outside == "refuse":
            code, problem = wrong
            cure = 'correct it, or set /options/images/boxes to "clip"'
            self._faults.add(place, code, f"{words}: {problem}; {cure}")
            return None
        whole = clipped(corners, original)
        found = whole and clipped(moved(whole, placement), self.stored)
        if found is None:
            self._dropped += 1
            self._name(f"{words}: {wrong[1] if wrong else 'the crop leaves nothing of the box'}; dropped")
        elif wrong is not None:
            self._clipped += 1
            self._name(f"{words}: {wrong[1]}; clipped")
        return found

    def check_size(self, image: AnnotatedImage, original: Size) -> bool:
        """Whether the image is as its annotations declare it; a fault where it is not."""
        if image.size is None or image.source is None or image.size == original:
            return True
        said, found = (f"{width} wide and {height} high" for height, width in (image.size, original))
        turned = ", upright as its EXIF data have it" if image.size == original[::-1] else ""
        problem = f"{image.source} says that {image.path} is {said}, but it is {found}{turned}"
        self._faults.add(self._files.at(image.source), "size", problem)
        return False

    def at(self, name: str, *steps: str) -> str:
        """The pointer of a place in an annotation file."""
        return self._files.at(name, *steps)

    def record(self) -> BoxesSchema:
        return BoxesSchema(
            outside=self._outside, clipped=self._clipped, dropped=self._dropped, named=self._named
        )

    def _name(self, words: str) -> None:
        if len(self._named) < LISTED:
            self._named.append(words)


class BoxFields:
    """Takes annotated images one after the other."""

    def __init__(self, folder: Path, classes: Sequence[str], limits: Limits) -> None:
        self._codes = {name: code for code, name in enumerate(classes)}
        self._boxes = Steps(folder / "boxes", (4,))
        self._classes = Steps(folder / "box_class", (), "int32", list(classes))
        self._difficult = Steps(folder / "difficult", (1,))
        self._placement = GrowingArray(folder / "placement.npy", np.float32, (6,))
        self._limits = limits

    def add(self, image: AnnotatedImage, original: Size, placement: Placement) -> None:
        """The next row. ``original``: the true size of the image, upright."""
        kept: list[tuple[Corners, Box]] = []
        for box in image.boxes if self._limits.check_size(image, original) else ():
            assert image.source is not None
            place = self._limits.at(image.source, box.where)
            words = f"{image.source}, {box.where}, on {image.path}"
            corners = self._limits.on_stored(box.corners, original, placement, place, words)
            if corners is not None:
                kept.append((corners, box))
        self._boxes.add(np.array([corners for corners, _ in kept], dtype=np.float32))
        self._classes.add(np.array([self._codes.get(box.name, 0) for _, box in kept], dtype=np.int32))
        self._difficult.add(np.array([box.difficult for _, box in kept], dtype=np.float32))
        height, width = original
        scales, offsets = (placement.scale_x, placement.scale_y), (placement.left, placement.top)
        self._placement.append(np.array([*scales, *offsets, width, height], dtype=np.float32))

    def close(self) -> dict[str, Column]:
        """Each field by name."""
        rows = self._placement.close()
        boxes = self._boxes.close()
        boxes.boxes = self._limits.record()
        return {
            "boxes": boxes,
            "box_class": self._classes.close(),
            "difficult": self._difficult.close(),
            "placement": Column("dense", (6,), {"values": self._placement.path}, rows),
        }


def moved(corners: Corners, placement: Placement) -> Corners:
    """Corners of the original in the pixels of the stored image."""
    x1, y1, x2, y2 = corners
    return (
        x1 * placement.scale_x + placement.left,
        y1 * placement.scale_y + placement.top,
        x2 * placement.scale_x + placement.left,
        y2 * placement.scale_y + placement.top,
    )
