"""Pascal VOC: one XML file an image, and lists of images a split.

Coordinates are whole pixels counted from 1, both corners within the box: a box from 1 to 640 covers an image
640 wide. So stored is x1 = xmin - 1, y1 = ymin - 1, x2 = xmax, y2 = ymax.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ingest.annotations.boxes import (
    AnnotatedImage,
    AnnotatedImages,
    Box,
    Files,
    finite,
    lines_of,
    missing_image,
)
from ingest.faults import FaultList
from ingest.options import Split
from ingest.split_words import split_of_folder

MAX_XML_BYTES = 4 << 20
MAX_LIST_BYTES = 64 << 20
ANNOTATIONS = "Annotations"
IMAGE_FOLDERS = ("JPEGImages", "images", "Images")
_LISTS: dict[str, Split] = {"train": "train", "val": "valid", "test": "test", "trainval": "train"}
"""Files of ImageSets/Main. ``trainval`` comes last: it counts for images that the others do not name."""
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(files: Files, images: Collection[str], faults: FaultList) -> AnnotatedImages:
    """Every image of the archive, or those that ImageSets/Main lists.

    ``images``: the files that are images. An XML file belongs to the image of its name, in the folder
    beside ``Annotations``, or else in its own folder.
    """
    by_stem = {_stem(image): image for image in sorted(images)}
    known = set(files.names)
    sources: dict[str, str] = {}
    for name in sorted(known):
        if not is_xml(name):
            continue
        image = next((by_stem[stem] for stem in _stems(name) if stem in by_stem), None)
        if image is None:
            missing_image(files.at(name), _stem(name), images, faults)
        elif image in sources:
            problem = f"{name} and {sources[image]} both annotate {image}; leave one out"
            faults.add(files.at(name), "duplicate", problem)
        else:
            sources[image] = name
    splits = _listed(files, by_stem, faults)
    chosen = list(splits) if splits else [image for image in sorted(images) if not _is_mask(image)]
    found = []
    for image in chosen:
        split = splits[image] if splits else split_of_folder(image)
        annotated = AnnotatedImage(image, split, sources.get(image))
        if annotated.source is not None:
            _annotate(annotated, annotated.source, files, faults)
        found.append(annotated)
    return AnnotatedImages(found)


def is_xml(name: str) -> bool:
    return name.lower().endswith(".xml")


def _is_mask(image: str) -> bool:
    """Whether an image is one of Pascal VOC's pictures of segments."""
    return image.rpartition("/")[0].rpartition("/")[2] in ("SegmentationClass", "SegmentationObject")


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _stems(xml: str) -> Iterator[str]:
    """Where the image of an XML file may lie, without extensions."""
    path = PurePosixPath(xml)
    if path.parent.name.casefold() == ANNOTATIONS.casefold():
        for folder in IMAGE_FOLDERS:
            yield str(path.parent.parent / folder / path.stem)
    yield _stem(xml)


def _listed(files: Files, by_stem: dict[str, str], faults: FaultList) -> dict[str, Split]:
    """The split of each image that a list names; empty where there is no list."""
    found: dict[str, Split] = {}
    for list_name, split in _LISTS.items():
        for name in sorted(files.names):
            path = PurePosixPath(name)
            if path.parts[-3:] != ("ImageSets", "Main", f"{list_name}.txt"):
                continue
            root = path.parent.parent.parent
            for number, line in lines_of(files, name, MAX_LIST_BYTES, faults):
                word = line.split()[0]
                stems = (str(root / folder / word) for folder in IMAGE_FOLDERS)
                image = next((by_stem[stem] for stem in stems if stem in by_stem), None)
                if image is None:
                    place = files.at(name, f"line {number}")
                    wanted = str(root / IMAGE_FOLDERS[0] / word)
                    missing_image(place, wanted, by_stem.values(), faults)
                elif image not in found:
                    found[image] = split
                elif list_name != "trainval" and found[image] != split:
                    problem = (
                        f"line {number}: {word!r} is for {found[image]} already: an image is in one split"
                    )
                    faults.add(files.at(name, f"line {number}"), "duplicate", problem)
    return found


def _annotate(image: AnnotatedImage, name: str, files: Files, faults: FaultList) -> None:
    """Take size and boxes out of an XML file."""
    try:
        root = fromstring(files.read(name, MAX_XML_BYTES), forbid_dtd=True)
    except ParseError as error:
        faults.add(files.at(name), "malformed_xml", f"{name} is no XML: {error}")
        return
    except DefusedXmlException:
        problem = f"{name} has a document type (<!DOCTYPE ...>), which is never read; leave it out"
        faults.add(files.at(name), "malformed_xml", problem)
        return
    except (LookupError, ValueError) as error:
        # An encoding that the parser does not know.
        faults.add(files.at(name), "malformed_xml", f"{name}: {error}; save it as UTF-8")
        return
    if root.tag != "annotation":
        problem = f"{name} is no Pascal VOC annotation: it begins with <{root.tag}>, not with <annotation>"
        faults.add(files.at(name), "malformed_annotation", problem)
        return
    declared = finite([root.findtext("size/width"), root.findtext("size/height")])
    if declared is not None and min(declared) > 0:
        # Tools that do not know the size write 0.
        image.size = (int(declared[1]), int(declared[0]))
    elif declared is None and root.find("size") is not None:
        problem = f"{name}: <size> has no <width> and <height> that are numbers"
        faults.add(files.at(name, "size"), "malformed_annotation", problem)
    for number, element in enumerate(root.findall("object"), 1):
        where = f"object {number}"
        box = _box(element, where)
        if isinstance(box, Box):
            image.boxes.append(box)
        else:
            faults.add(files.at(name, where), "malformed_annotation", f"{name}, {where}: {box}")


def _box(element: Element, where: str) -> Box | str:
    """A box, or what is wrong with it."""
    name = (element.findtext("name") or "").strip()
    if not name:
        return "it has no <name>, which is its class"
    texts = [element.findtext(f"bndbox/{key}") for key in _CORNERS]
    numbers = finite(texts)
    if numbers is None:
        said = ", ".join(f"{key} {text!r}" for key, text in zip(_CORNERS, texts, strict=True))
        return f"<bndbox> needs four numbers, and has {said}"
    difficult = (element.findtext("difficult") or "0").strip()
    if difficult not in ("0", "1"):
        return f"<difficult> is {difficult!r}; 0 or 1 is expected"
    x1, y1, x2, y2 = numbers
    return Box(name, (x1 - 1, y1 - 1, x2, y2), difficult == "1", where)
