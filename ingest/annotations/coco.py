"""COCO: one JSON document a split, with images, categories and annotations.

A box is [x, y, width, height], numbers and no pixels: stored is x, y, x + width, y + height. A crowd
(``iscrowd``) counts as difficult.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from ingest.annotations.boxes import AnnotatedImage, AnnotatedImages, Box, Files, missing_image
from ingest.faults import FaultList, listing
from ingest.options import Split
from ingest.split_words import split_of_file

MAX_JSON_BYTES = 256 << 20
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Id = int | str


class _Image(BaseModel):
    id: _Id
    file_name: Annotated[str, Field(min_length=1)]
    width: Annotated[int, Field(gt=0)] | None = None
    height: Annotated[int, Field(gt=0)] | None = None


class _Category(BaseModel):
    id: _Id
    name: Annotated[str, Field(min_length=1)]


class _Annotation(BaseModel):
    image_id: _Id
    category_id: _Id
    bbox: tuple[_Number, _Number, _Number, _Number]
    iscrowd: bool = False


class _Document(BaseModel):
    """What is used of a file; everything else in it is ignored."""

    images: list[_Image]
    annotations: list[_Annotation] = []
    categories: list[_Category]


def json_files(names: Collection[str]) -> list[str]:
    return sorted(name for name in names if name.lower().endswith(".json"))


def read_coco(files: Files, images: Collection[str], faults: FaultList) -> AnnotatedImages:
    """The images that the documents list. The classes are the training documents' categories, by id."""
    found: dict[str, AnnotatedImage] = {}
    training: dict[str, None] = {}
    by_name: dict[str, list[str]] = {}
    for image in sorted(images):
        by_name.setdefault(posixpath.basename(image), []).append(image)
    for name in json_files(files.names):
        document = _parse(files, name, faults)
        if document is None:
            continue
        split = split_of_file(name)
        numbered = sorted(document.categories, key=lambda entry: (isinstance(entry.id, str), entry.id))
        if split in (None, "train"):
            training |= dict.fromkeys(entry.name for entry in numbered)
        by_id = _take_images(document, name, split, by_name, found, files, faults)
        categories = {entry.id: entry.name for entry in numbered}
        _take_boxes(document, name, by_id, categories, files, faults)
    return AnnotatedImages(list(found.values()), list(training))


def _parse(files: Files, name: str, faults: FaultList) -> _Document | None:
    try:
        return _Document.model_validate_json(files.read(name, MAX_JSON_BYTES))
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=False):
            place = "/".join(map(str, found["loc"])) or "the document"
            got = "" if found["type"] == "missing" else f"; got {found['input']!r:.60}"
            problem = f"{name}, {place}: {found['msg']}{got}"
            faults.add(files.at(name, *found["loc"]), "malformed_coco", problem)
    return None


def _take_images(
    document: _Document,
    name: str,
    split: Split | None,
    by_name: dict[str, list[str]],
    found: dict[str, AnnotatedImage],
    files: Files,
    faults: FaultList,
) -> dict[_Id, AnnotatedImage | None]:
    """Put the images of a document into ``found``; those of each id, None where there is a fault."""
    by_id: dict[_Id, AnnotatedImage | None] = {}
    for index, entry in enumerate(document.images):
        place = files.at(name, "images", index)
        candidates = by_name.get(posixpath.basename(entry.file_name), [])
        image = _find(entry.file_name, name, split, candidates)
        if entry.id in by_id:
            faults.add(place, "duplicate", f"{name}: two images have the id {entry.id!r}")
            continue
        by_id[entry.id] = None
        if image is None and len(candidates) > 1:
            problem = f"{entry.file_name!r} may be any of {listing(candidates, 4)}; give its whole path"
            faults.add(place, "ambiguous_image", problem)
        elif image is None:
            every = (path for paths in by_name.values() for path in paths)
            missing_image(place, entry.file_name, every, faults)
        elif image in found:
            problem = f"{image!r} is listed in {found[image].source} already: an image is listed once"
            faults.add(place, "duplicate", problem)
        else:
            size = None
            if entry.width is not None and entry.height is not None:
                size = entry.height, entry.width
            by_id[entry.id] = found[image] = AnnotatedImage(image, split, name, size)
    return by_id


def _take_boxes(
    document: _Document,
    name: str,
    by_id: dict[_Id, AnnotatedImage | None],
    categories: dict[_Id, str],
    files: Files,
    faults: FaultList,
) -> None:
    for index, annotation in enumerate(document.annotations):
        if annotation.image_id not in by_id:
            place = files.at(name, "annotations", index, "image_id")
            faults.add(place, "missing_image", f"{name}: no image has the id {annotation.image_id!r}")
        if annotation.category_id not in categories:
            place = files.at(name, "annotations", index, "category_id")
            known = listing(f"{number} {known}" for number, known in categories.items())
            problem = f"{name}: no category has the id {annotation.category_id!r}; they are {known}"
            faults.add(place, "unknown_class", problem)
            continue
        image = by_id.get(annotation.image_id)
        if image is not None:
            x, y, width, height = annotation.bbox
            corners = (x, y, x + width, y + height)
            where = f"annotations/{index}/bbox"
            image.boxes.append(Box(categories[annotation.category_id], corners, annotation.iscrowd, where))


def _find(said: str, document: str, split: Split | None, candidates: Collection[str]) -> str | None:
    """The image that a document means: by its path, or else the only one whose path ends in it."""
    folder = posixpath.dirname(document)
    for path in (posixpath.normpath(posixpath.join(folder, said)), posixpath.normpath(said)):
        if path in candidates:
            return path
    ending = [path for path in candidates if path.endswith("/" + posixpath.normpath(said))]
    same = [path for path in ending if split is not None and split_of_file(path) == split]
    chosen = ending if len(ending) == 1 else same
    return chosen[0] if len(chosen) == 1 else None
