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


class BoxFields:
    """Takes annotated images one after the other; their boxes are held against the images' true sizes."""

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str],
        stored: Size,
        outside: Outside,
        files: Files,
        faults: FaultList,
    ) -> None:
        """``stored``: the size of the stored images."""
        self._codes = {name: code for code, name in enumerate(classes)}
        self._boxes = Steps(folder / "boxes", (4,))
        self._classes = Steps(folder / "box_class", (), "int32", list(classes))
        self._difficult = Steps(folder / "difficult", (1,))
        self._placement = GrowingArray(folder / "placement.npy", np.float32, (6,))
        self._stored = stored
        self._outside: Outside = outside
        self._files = files
        self._faults = faults
        self._clipped = self._dropped = 0
        self._named: list[str] = []

    def add(self, image: AnnotatedImage, original: Size, placement: Placement) -> None:
        """The next row. ``original``: the true size of the image, upright."""
        found = image.boxes
        if image.size is not None and image.size != original:
            self._report_size(image, original)
            found = []
        kept: list[tuple[Corners, Box]] = []
        for box in found:
            corners = self._on_image(image, box, original, placement)
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
        boxes.boxes = BoxesSchema(
            outside=self._outside, clipped=self._clipped, dropped=self._dropped, named=self._named
        )
        return {
            "boxes": boxes,
            "box_class": self._classes.close(),
            "difficult": self._difficult.close(),
            "placement": Column("dense", (6,), {"values": self._placement.path}, rows),
        }

    def _on_image(
        self, image: AnnotatedImage, box: Box, original: Size, placement: Placement
    ) -> Corners | None:
        """Where a box lies on the stored image; None where nothing is left of it."""
        wrong = refused(box.corners, original)
        place = f"{image.source}, {box.where}, on {image.path}"
        if wrong is not None and self._outside == "refuse":
            code, words = wrong
            cure = 'correct it, or set /options/images/boxes to "clip"'
            assert image.source is not None
            self._faults.add(self._files.at(image.source, box.where), code, f"{place}: {words}; {cure}")
            return None
        whole = clipped(box.corners, original)
        stored = whole and clipped(on_stored(whole, placement), self._stored)
        if stored is None:
            self._dropped += 1
            self._name(f"{place}: {wrong[1] if wrong else 'the crop leaves nothing of the box'}; dropped")
        elif wrong is not None:
            self._clipped += 1
            self._name(f"{place}: {wrong[1]}; clipped")
        return stored

    def _name(self, words: str) -> None:
        if len(self._named) < LISTED:
            self._named.append(words)

    def _report_size(self, image: AnnotatedImage, original: Size) -> None:
        assert image.source is not None
        assert image.size is not None
        said, found = (f"{width} wide and {height} high" for height, width in (image.size, original))
        turned = ", upright as its EXIF data have it" if image.size == original[::-1] else ""
        problem = f"{image.source} says that {image.path} is {said}, but it is {found}{turned}"
        self._faults.add(self._files.at(image.source), "size", problem)


def on_stored(corners: Corners, placement: Placement) -> Corners:
    """Corners in the pixels of the stored image."""
    x1, y1, x2, y2 = corners
    return (
        x1 * placement.scale_x + placement.left,
        y1 * placement.scale_y + placement.top,
        x2 * placement.scale_x + placement.left,
        y2 * placement.scale_y + placement.top,
    )
