"""CNTK's own layout: ``train_img_file.txt``, ``train_roi_file.txt``, ``class_map.txt``.

A line of an image file is ``number TAB path TAB 0``, of a region file ``number |roiAndLabel x1 y1 x2 y2
class …`` with five numbers a box, of the class map ``name TAB number``. Coordinates are pixels counted from
0, both corners within the box, as CNTK's own overlaps and flips have it: stored is x2 + 1 and y2 + 1.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator

from ingest.annotations.boxes import (
    AnnotatedImage,
    AnnotatedImages,
    Box,
    Files,
    finite,
    lines_of,
    missing_image,
)
from ingest.faults import FaultList, listing
from ingest.options import Split

MAX_BYTES = 512 << 20
BACKGROUND = "__background__"
NEGATIVE = "negative"
"""Folder of training images on which there is nothing, and which no file need list."""
_SPLITS: dict[str, Split] = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}
_IMAGES, _REGIONS, _CLASSES = "_img_file.txt", "_roi_file.txt", "class_map.txt"
_NUMBERS = 5
"""Of a box: its corners and its class."""


def image_files(names: Collection[str]) -> Iterator[tuple[str, str, Split]]:
    """(image file, what its name begins with, split) of each, train first."""
    for prefix, split in _SPLITS.items():
        for name in sorted(names):
            if posixpath.basename(name).casefold() == prefix + _IMAGES:
                yield name, name[: -len(_IMAGES)], split


def read_rois(files: Files, images: Collection[str], faults: FaultList) -> AnnotatedImages:
    """The images that the image files list, and those in ``negative`` beside ``train_img_file.txt``.

    Boxes of the background class are what lines are padded with, and are left out.
    """
    classes = _class_map(files, faults)
    found: dict[str, AnnotatedImage] = {}
    for name, prefix, split in image_files(files.names):
        listed = listed_images(files, name, images, faults)
        for number, image in listed.items():
            if image in found:
                problem = f"image {number}, {image!r}, is in split {found[image].split!r} already"
                faults.add(files.at(name), "duplicate", problem)
            elif image is not None:
                found[image] = AnnotatedImage(image, split)
        regions = next((other for other in files.names if other == prefix + _REGIONS), None)
        if regions is None:
            faults.add(files.at(name), "missing_file", f"{prefix + _REGIONS} is not in the archive")
            continue
        for number, place, numbers in region_lines(files, regions, "roiAndLabel", _NUMBERS, listed, faults):
            image = listed[number]
            if image is None:
                continue
            annotated = found[image]
            annotated.source = regions
            annotated.boxes += _boxes(numbers, classes, place, files.at(regions, place), faults)
        if split == "train":
            folder = posixpath.join(posixpath.dirname(name), NEGATIVE, "")
            for image in sorted(images):
                if image.startswith(folder) and image not in found:
                    found[image] = AnnotatedImage(image, split)
    return AnnotatedImages(list(found.values()), [name for name in classes.values() if name != BACKGROUND])


def listed_images(
    files: Files, name: str, images: Collection[str], faults: FaultList
) -> dict[int, str | None]:
    """The image of each number in an image file; None for one that is reported as missing."""
    found: dict[int, str | None] = {}
    for line, text in lines_of(files, name, MAX_BYTES, faults):
        place = files.at(name, f"line {line}")
        number, *rest = text.split("\t")
        if not rest or not number.strip().isdecimal():
            problem = f"{name}, line {line}: {text[:80]!r} is not a number, a tab and the path of an image"
            faults.add(place, "malformed_map", problem)
            continue
        said = rest[0].strip().replace("\\", "/")
        # "..." is how CNTK's readers write "where this file lies".
        image = posixpath.normpath(posixpath.join(posixpath.dirname(name), said.removeprefix(".../")))
        if int(number) in found:
            problem = f"{name}, line {line}: the number {int(number)} stands on a line before already"
            faults.add(place, "duplicate", problem)
        elif image in images:
            found[int(number)] = image
        else:
            found[int(number)] = None
            missing_image(place, image, images, faults)
    return found


def region_lines(
    files: Files, name: str, word: str, width: int, listed: Collection[int], faults: FaultList
) -> Iterator[tuple[int, str, list[float]]]:
    """(number of the image, place in words, numbers) of each line ``number |word …``.

    There are ``width`` numbers a box; lines of images that are not in ``listed`` are faults.
    """
    seen: set[int] = set()
    for line, text in lines_of(files, name, MAX_BYTES, faults):
        where = f"line {line}"
        head, _, rest = text.partition("|")
        first, *texts = rest.split() or [""]
        numbers = finite(texts)
        if not head.strip().isdecimal() or first != word:
            problem = f"{text[:60]!r} does not begin with the number of an image and |{word}"
        elif numbers is None or len(numbers) % width:
            problem = f"{len(texts)} values, where {width} numbers a box are expected"
        elif int(head) in seen:
            problem = f"the number {int(head)} stands on a line before already"
        elif int(head) not in listed:
            problem = f"no image has the number {int(head)}; they are {listing(map(str, listed), 3)}"
        else:
            seen.add(int(head))
            yield int(head), where, numbers
            continue
        faults.add(files.at(name, where), "malformed_regions", f"{name}, {where}: {problem}")


def _boxes(
    numbers: list[float], classes: dict[int, str], where: str, place: str, faults: FaultList
) -> Iterator[Box]:
    for index in range(0, len(numbers), _NUMBERS):
        x1, y1, x2, y2, code = numbers[index : index + _NUMBERS]
        words = f"{where}, box {index // _NUMBERS + 1}"
        # A fault of the class map is told once.
        name = classes.get(int(code)) if code.is_integer() else None
        if name is None and classes:
            known = listing(f"{number} {known}" for number, known in classes.items())
            problem = f"{words}: the class {code:g} is not in the class map: {known}"
            faults.add(place, "unknown_class", problem)
        elif name is not None and name != BACKGROUND:
            yield Box(name, (x1, y1, x2 + 1, y2 + 1), False, words)


def _class_map(files: Files, faults: FaultList) -> dict[int, str]:
    """The class of each number, by rising number; empty where there is a fault."""
    names = [name for name in sorted(files.names) if posixpath.basename(name).casefold() == _CLASSES]
    if len(names) != 1:
        found = f"there are {listing(names)}; leave one" if names else f"{_CLASSES} is not in the archive"
        faults.add("/file", "missing_file", f"{found}: it names the classes, a line each: name, tab, number")
        return {}
    before = faults.count
    classes: dict[int, str] = {}
    for line, text in lines_of(files, names[0], MAX_BYTES, faults):
        name, _, number = (part.strip() for part in text.rpartition("\t"))
        if not name or not number.isdecimal():
            problem = f"{text[:60]!r} is not the name of a class, a tab and its number"
        elif int(number) in classes or name in classes.values():
            problem = f"{name!r} or the number {number} stands on a line before already"
        else:
            classes[int(number)] = name
            continue
        faults.add(files.at(names[0], f"line {line}"), "malformed_map", f"{names[0]}, line {line}: {problem}")
    return dict(sorted(classes.items())) if faults.count == before else {}
