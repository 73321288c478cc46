"""The classes of annotated boxes: what the training images know, and what others may have."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.annotations.boxes import Annotations, Files
from ingest.columns import in_order
from ingest.faults import FaultList, nearest
from ingest.options import Split


def settle_classes(
    found: Annotations, fitted: Sequence[str] | None, rest: Split, files: Files, faults: FaultList
) -> list[str]:
    """The classes in order: ``fitted`` ones of another data set, declared ones, or those
    of the training boxes.

    ``rest`` is the split of images that nothing names. A box of another class is a fault, once a class.
    """
    training = {box.name for image in found.images if (image.split or rest) == "train" for box in image.boxes}
    classes = list(fitted if fitted is not None else found.classes or in_order(training))
    if fitted is None and not training and not faults.count:
        faults.add("/file", "no_boxes", "no image for training has a box, so there is nothing to detect")
    told: set[str] = set(classes)
    for image in found.images:
        for box in image.boxes:
            if box.name in told:
                continue
            told.add(box.name)
            assert image.source is not None
            what = (
                "the training images have no box of it"
                if fitted is None
                else "/options/like has no such class"
            )
            split = image.split or rest
            problem = f"{image.source}, {box.where}: {box.name!r} in split {split!r} is unknown: {what}"
            place = files.at(image.source, box.where)
            faults.add(place, "unknown_class", f"{problem}; {nearest(box.name, classes)}")
    return classes
