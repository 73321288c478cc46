"""Archives of annotated images: which layout they have, and the columns that it tells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from ingest.annotations.boxes import AnnotatedImage, AnnotatedImages, Files
from ingest.annotations.classes import settle_classes
from ingest.annotations.coco import MAX_JSON_BYTES, json_files, read_coco
from ingest.annotations.given import Given, read_given
from ingest.annotations.placing import BoxFields, Limits
from ingest.annotations.proposing import computed_column, given_column
from ingest.annotations.rois import image_files, read_rois
from ingest.annotations.voc import MAX_XML_BYTES, is_xml, read_voc
from ingest.columns import Column
from ingest.faults import FaultList
from ingest.fields import FieldPlan, Fitted
from ingest.images.archives import Archive, Unreadable
from ingest.images.folders import image_paths
from ingest.images.listing import Entry, Listing, Row
from ingest.images.names import is_hidden
from ingest.options import SPLITS, Options
from ingest.split_words import split_of_folder
from jobs.errors import Fault, InvalidInput

DRAWN = ("boxes", "box_class", "difficult")
"""Columns of what is annotated."""
PLACEMENT = "placement"
PROPOSALS = "proposals"
AnnotatedLayout = Literal["voc", "rois", "coco"]
READERS: dict[AnnotatedLayout, Callable[[Files, Collection[str], FaultList], AnnotatedImages]] = {
    "voc": read_voc,
    "rois": read_rois,
    "coco": read_coco,
}
"""By layout."""
_HOLDS = {
    "voc": "it is images, and an XML file for each one that has boxes",
    "rois": "it is train_img_file.txt, train_roi_file.txt and class_map.txt",
    "coco": "it is a JSON document a split, with images, categories and annotations",
}
_COCO = (b'"images"', b'"categories"')
"""What every COCO document holds."""


class ArchiveFiles:
    """The files of several archives as if they were of one."""

    def __init__(self, archives: Sequence[Archive], faults: FaultList) -> None:
        self._archives: dict[str, Archive] = {}
        for archive in archives:
            for path in archive.sizes:
                if is_hidden(path):
                    continue
                if path in self._archives:
                    problem = f"{path!r} is in {self._archives[path].filename!r} as well; leave one out"
                    faults.add(archive.at(path), "duplicate", problem)
                self._archives.setdefault(path, archive)
        self.images = dict.fromkeys(path for archive in archives for path in image_paths(archive)).keys()

    @property
    def names(self) -> Collection[str]:
        return self._archives.keys()

    def archive(self, name: str) -> Archive:
        return self._archives[name]

    def read(self, name: str, limit: int) -> bytes:
        try:
            return self._archives[name].read(name, limit)
        except Unreadable as problem:
            raise InvalidInput.of([Fault(self.at(name), "damaged", f"{name!r} {problem}")]) from None

    def at(self, name: str, *steps: str | int) -> str:
        return self._archives[name].at(name, *steps)


def is_detection(fitted: Fitted) -> bool:
    """Whether the data set that this one is to be like is one of annotated images."""
    return any(source.name == PLACEMENT for field in fitted.values() for source in field.sources)


def annotated_layout(archives: Sequence[Archive]) -> AnnotatedLayout | None:
    """The layout that annotation files tell; None where there are none."""
    files = ArchiveFiles(archives, FaultList())
    if next(image_files(files.names), None) is not None:
        return "rois"
    if any(_holds(files, name, MAX_XML_BYTES, b"<annotation") for name in files.names if is_xml(name)):
        return "voc"
    if any(_holds(files, name, MAX_JSON_BYTES, *_COCO) for name in json_files(files.names)):
        return "coco"
    return None


def _holds(files: ArchiveFiles, name: str, limit: int, *words: bytes) -> bool:
    """Whether a file can be read and holds all words."""
    try:
        data = files.archive(name).read(name, limit)
    except Unreadable:
        return False
    return all(word in data for word in words)


def list_detection(
    archives: Sequence[Archive], layout: AnnotatedLayout | None, options: Options, faults: FaultList
) -> Listing:
    """The images of a layout, by split; those that nothing annotates where ``layout`` is None."""
    files = ArchiveFiles(archives, faults)
    if layout is None:
        found = AnnotatedImages([AnnotatedImage(path, split_of_folder(path)) for path in files.images])
    else:
        found = READERS[layout](files, files.images, faults)
        if not found.images and not faults.count:
            problem = f"the upload has no annotations of the layout {layout!r}; {_HOLDS[layout]}"
            faults.add("/options/images/layout", "missing_file", problem)
    entries = [Entry(files.archive(image.path), image.path, image.split, image) for image in found.images]
    entries.sort(key=lambda entry: SPLITS.index(entry.part or options.rest))
    for image in found.images:
        image.split = image.split or files.archive(image.path).split
    return Listing(entries, Boxes(found, layout is not None, options, files), scattered=layout is not None)


class Boxes:
    """What is annotated; ``Entry.told`` is an AnnotatedImage."""

    def __init__(
        self, found: AnnotatedImages, annotated: bool, options: Options, files: ArchiveFiles
    ) -> None:
        assert options.images is not None
        self._found = found
        self._annotated = annotated
        self._options = options
        self._images = options.images
        self._files = files
        self._classes: list[str] = []
        self._given: dict[str, Given] = {}

    @property
    def columns(self) -> Sequence[str]:
        proposed = (PROPOSALS,) if self._images.proposals is not None else ()
        return (*(DRAWN if self._annotated else ()), PLACEMENT, *proposed)

    def check(self, entries: Sequence[Entry], plans: Mapping[str, FieldPlan], faults: FaultList) -> None:
        """The classes, and the proposals that are given: all that needs no pixels."""
        wanted = self._images.proposals
        if wanted is not None and wanted.method == "given":
            self._given = read_given(self._files, wanted.files or (), self._files.images, faults)
        if not self._annotated:
            return
        plan = plans.get("box_class")
        told, cure = (plan.options.classes, plan.cure) if plan is not None else (None, "correct it")
        rest = self._options.rest
        self._classes = settle_classes(self._found, told, rest, cure, self._files, faults)

    def write(
        self,
        rows: Sequence[Row],
        pixels: Column,
        plans: Mapping[str, FieldPlan],
        folder: Path,
        faults: FaultList,
    ) -> Mapping[str, Column]:
        _, height, width = pixels.shape
        of_boxes, of_proposals = (
            Limits((height, width), self._images.boxes, self._files, faults) for _ in range(2)
        )
        fields = BoxFields(folder, self._classes, of_boxes)
        for row in rows:
            fields.add(row.entry.told, row.original, row.placement)
        columns = fields.close()
        wanted = self._images.proposals
        if wanted is not None and PROPOSALS in plans and not faults.count:
            if wanted.method == "given":
                columns[PROPOSALS] = given_column(rows, self._given, of_proposals, folder)
            else:
                columns[PROPOSALS] = computed_column(rows, pixels, wanted, folder)
        for name in columns.keys() - plans.keys():
            columns.pop(name).remove()
        return columns
