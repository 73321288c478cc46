"""What the readers of annotations make of them, and the rules that all boxes are held to."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ingest.faults import FaultList, nearest
from ingest.options import Split

OVERSTEP = 1.0
"""Pixels by which a box may leave its image without a word: tools round, and count from 0 or from 1."""

Size = tuple[int, int]
"""Height and width, in pixels."""
Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the original image, the origin at its upper left corner: pixel 0 reaches
from 0 to 1, so an image's right border is its width."""


class Files(Protocol):
    """The files of an upload, by their paths in its archive."""

    @property
    def names(self) -> Collection[str]:
        """Every file, images among them."""

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a file; TooLarge where there are more than ``limit``."""

    def at(self, name: str, *steps: str | int) -> str:
        """The pointer of a place in a file."""


class Box(NamedTuple):
    """One object as it was annotated."""

    name: str
    """Its class."""
    corners: Corners
    difficult: bool
    where: str
    """Its place in the annotation file, in words: ``object 3``."""


@dataclass
class AnnotatedImage:
    """One image and what is drawn on it; without a box it is a negative one."""

    path: str
    """In the archive."""
    split: Split | None = None
    """None: nothing tells."""
    source: str | None = None
    """The file that annotates it."""
    size: Size | None = None
    """As the annotations declare it."""
    boxes: list[Box] = field(default_factory=list)


@dataclass
class AnnotatedImages:
    """All images of an upload."""

    images: list[AnnotatedImage]
    classes: list[str] | None = None
    """In order, without the background; None: the classes are those of the training boxes."""


def refused(corners: Corners, size: Size) -> tuple[str, str] | None:
    """Why no image of this size can have a box, as a code and words; None: it can.

    What oversteps the image by ``OVERSTEP`` at most is taken as rounding.
    """
    x1, y1, x2, y2 = corners
    height, width = size
    shown = f"({x1:g}, {y1:g}) to ({x2:g}, {y2:g})"
    if x2 <= x1 or y2 <= y1:
        return (
            "inverted_box",
            f"the box {shown} is empty or inverted; the second corner is the lower right one",
        )
    if x1 < -OVERSTEP or y1 < -OVERSTEP or x2 > width + OVERSTEP or y2 > height + OVERSTEP:
        return "outside", f"the box {shown} leaves the image, which is {width} wide and {height} high"
    if clipped(corners, size) is None:
        return "outside", f"nothing of the box {shown} lies on the image, {width} wide and {height} high"
    return None


def clipped(corners: Corners, size: Size) -> Corners | None:
    """The part of a box that lies on an image of this size; None where there is none."""
    x1, y1, x2, y2 = corners
    height, width = size
    x1, y1, x2, y2 = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


def finite(texts: Sequence[str | None]) -> list[float] | None:
    """The numbers that the texts spell; None where one spells none, or none that is finite."""
    try:
        numbers = [float(text) for text in texts if text is not None and "_" not in text]
    except ValueError:
        return None
    return numbers if len(numbers) == len(texts) and all(map(math.isfinite, numbers)) else None


def lines_of(files: Files, name: str, limit: int, faults: FaultList) -> list[tuple[int, str]]:
    """(number from 1, text) of each line of a text file that is not blank; a fault where it is not UTF-8."""
    try:
        text = files.read(name, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"{name}: byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        faults.add(files.at(name), "not-utf-8", problem)
        return []
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def missing_image(place: str, found: str, images: Iterable[str], faults: FaultList) -> None:
    """Report an annotation whose image is not in the archive. ``found``: what the annotation says."""
    faults.add(place, "missing_image", f"no image {found!r} is in the archive; {nearest(found, images)}")
