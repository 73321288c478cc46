"""Draws images of discs, squares and triangles on noise: the data of the examples that see shapes.

    .venv/bin/python examples/shapes.py shapes.zip              several on an image, with boxes (Pascal VOC)
    .venv/bin/python examples/shapes.py --folders shapes.zip    one on an image, in a folder for each class

The same images every time, other ones with --seed.
"""

import argparse
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
from PIL import Image

KINDS = ("disc", "square", "triangle")
SIDE = 96
"""Of an image, in pixels."""
SIZES = (18, 44)
"""Of a shape, from the least on and below the last."""
COUNTS = {"train": 120, "val": 24, "test": 40}
MOST_SHAPES = 3
GAP = 4
"""Pixels between shapes at least."""


@dataclass(frozen=True)
class Shape:
    kind: str
    left: int
    top: int
    size: int

    def apart(self, other: "Shape") -> bool:
        """Whether there are ``GAP`` pixels between the squares around both."""
        reach = self.size + GAP, other.size + GAP
        return (
            self.left + reach[0] <= other.left
            or other.left + reach[1] <= self.left
            or self.top + reach[0] <= other.top
            or other.top + reach[1] <= self.top
        )

    def inside(self) -> npt.NDArray[np.bool_]:
        """Which of size x size pixels it covers; the outermost of each side are among them."""
        y, x = (np.mgrid[: self.size, : self.size] + 0.5) / self.size
        covered = {
            "disc": (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.25,
            "square": np.ones_like(x, dtype=bool),
            "triangle": np.abs(x - 0.5) < np.maximum(y, 1.5 / self.size) / 2,
        }
        return np.asarray(covered[self.kind])


def placed(draw: np.random.Generator, count: int) -> list[Shape]:
    """``count`` shapes, none over another; fewer where there was no room after some tries."""
    shapes: list[Shape] = []
    for _ in range(20 if count > 1 else count):
        if len(shapes) == count:
            break
        size = int(draw.integers(*SIZES))
        left, top = (int(n) for n in draw.integers(0, SIDE - size + 1, size=2))
        shape = Shape(str(draw.choice(KINDS)), left, top, size)
        if all(shape.apart(other) for other in shapes):
            shapes.append(shape)
    return shapes


def painted(draw: np.random.Generator, shapes: list[Shape]) -> bytes:
    """A PNG of the shapes, each in a bright colour of its own, on dark noise."""
    pixels = draw.integers(0, 90, size=(SIDE, SIDE, 3)).astype(np.uint8)
    for shape in shapes:
        there = pixels[shape.top : shape.top + shape.size, shape.left : shape.left + shape.size]
        there[shape.inside()] = draw.integers(120, 256, size=3)
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


def annotation(shapes: list[Shape]) -> bytes:
    """Pascal VOC's XML; its pixels are counted from 1 and both corners lie within."""
    root = ElementTree.Element("annotation")
    extent = ElementTree.SubElement(root, "size")
    for name, value in (("width", SIDE), ("height", SIDE), ("depth", 3)):
        ElementTree.SubElement(extent, name).text = str(value)
    for shape in shapes:
        object_ = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(object_, "name").text = shape.kind
        box = ElementTree.SubElement(object_, "bndbox")
        ElementTree.SubElement(box, "xmin").text = str(shape.left + 1)
        ElementTree.SubElement(box, "ymin").text = str(shape.top + 1)
        ElementTree.SubElement(box, "xmax").text = str(shape.left + shape.size)
        ElementTree.SubElement(box, "ymax").text = str(shape.top + shape.size)
    return bytes(ElementTree.tostring(root))


def with_boxes(draw: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """The files of a Pascal VOC archive. An image of none to three shapes; without any it has no XML."""
    for split, count in COUNTS.items():
        names = [f"{split}_{number:03}" for number in range(count)]
        for name in names:
            shapes = placed(draw, int(draw.integers(0, MOST_SHAPES + 1)))
            yield f"JPEGImages/{name}.png", painted(draw, shapes)
            if shapes:
                yield f"Annotations/{name}.xml", annotation(shapes)
        yield f"ImageSets/Main/{split}.txt", "".join(f"{name}\n" for name in names).encode()


def in_folders(draw: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """train/disc/000.png and so on, one shape on each image."""
    for split, count in COUNTS.items():
        for number in range(count):
            shape = placed(draw, 1)
            yield f"{split}/{shape[0].kind}/{number:03}.png", painted(draw, shape)


def write(path: Path, folders: bool = False, seed: int = 1) -> None:
    """A zip archive; equal seeds make equal bytes."""
    draw = np.random.default_rng(seed)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in in_folders(draw) if folders else with_boxes(draw):
            # A ZipInfo of its own has no time in it.
            archive.writestr(zipfile.ZipInfo(name), data)


def main() -> None:
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=described)
    parser.add_argument("file", type=Path, help="the zip archive to write")
    parser.add_argument(
        "--folders", action="store_true", help="one shape an image, in a folder for its class"
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write(arguments.file, arguments.folders, arguments.seed)


if __name__ == "__main__":
    main()
