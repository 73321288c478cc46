"""Proposals that somebody computed before: text files, a line an image.

Either ``path TAB x1 y1 x2 y2 …``, in numbers as the stored boxes are (an image's right border is its width),
or CNTK's ``number |proposals x1 y1 x2 y2 …`` in a file named like the one of images, ``train_proposals.txt``
next to ``train_img_file.txt``, in pixels counted from 0 with both corners within.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.annotations.boxes import Files, finite, lines_of, missing_image
from ingest.annotations.rois import image_files, listed_images, region_lines
from ingest.arrays import Array
from ingest.faults import FaultList, nearest

ENDING = "proposals.txt"
MAX_BYTES = 512 << 20
_PLACE = "/options/images/proposals"
_WIDTH = 4


@dataclass(frozen=True)
class Given:
    """The proposals of one image."""

    boxes: Array
    """(n, 4) float32 corners in pixels of the original image."""
    file: str
    where: str
    """The line, in words."""


def read_given(
    files: Files, named: Sequence[str], images: Collection[str], faults: FaultList
) -> dict[str, Given]:
    """The proposals of each image that a line tells of.

    ``named``: the files that hold them; none: every file whose name ends in ``proposals.txt``.
    """
    for index, name in enumerate(named):
        if name not in files.names:
            problem = f"no file {name!r} is in the archive; {nearest(name, files.names)}"
            faults.add(f"{_PLACE}/files/{index}", "missing_file", problem)
    ending = sorted(name for name in files.names if name.endswith(ENDING))
    chosen = [name for name in named if name in files.names] or ([] if named else ending)
    if not chosen and not named:
        problem = f"no file of the archive is named …{ENDING}; put one in, or name it in files"
        faults.add(f"{_PLACE}/method", "missing_file", problem)
    found: dict[str, Given] = {}
    for name in chosen:
        for image, given in _read_file(files, name, images, faults):
            if image in found:
                problem = (
                    f"{name}, {given.where}: the proposals of {image} stand in {found[image].file} already"
                )
                faults.add(files.at(name, given.where), "duplicate", problem)
            else:
                found[image] = given
    return found


def _read_file(
    files: Files, name: str, images: Collection[str], faults: FaultList
) -> Iterator[tuple[str, Given]]:
    lines = lines_of(files, name, MAX_BYTES, faults)
    if lines and "|proposals" in lines[0][1]:
        yield from _read_numbered(files, name, images, faults)
        return
    for line, text in lines:
        where = f"line {line}"
        path, tab, rest = text.partition("\t")
        texts = rest.split()
        numbers = finite(texts)
        image = posixpath.normpath(posixpath.join(posixpath.dirname(name), path.strip()))
        if not tab or numbers is None or len(numbers) % _WIDTH:
            problem = f"{name}, {where}: {text[:60]!r} is not a path, a tab and four numbers a box"
            faults.add(files.at(name, where), "malformed_regions", problem)
        elif image not in images:
            missing_image(files.at(name, where), image, images, faults)
        else:
            yield image, Given(_corners(numbers), name, where)


def _read_numbered(
    files: Files, name: str, images: Collection[str], faults: FaultList
) -> Iterator[tuple[str, Given]]:
    prefix = name.removesuffix("_" + ENDING)
    listing = next((listing for listing, start, _ in image_files(files.names) if start == prefix), None)
    if listing is None:
        problem = f"{name} numbers its images, and {prefix}_img_file.txt, which would name them, is not there"
        faults.add(files.at(name), "missing_file", problem)
        return
    # What is wrong with the list of images was told when they were read.
    listed = listed_images(files, listing, images, FaultList())
    for number, where, numbers in region_lines(files, name, "proposals", _WIDTH, listed, faults):
        image = listed[number]
        if image is not None:
            yield image, Given(_corners(numbers) + np.array([0, 0, 1, 1], np.float32), name, where)


def _corners(numbers: Sequence[float]) -> Array:
    return np.array(numbers, dtype=np.float32).reshape(-1, _WIDTH)
