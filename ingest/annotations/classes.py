"""The classes of annotated boxes: what the training images know, and what others may have."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.annotations.boxes import AnnotatedImages, Files
from ingest.columns import in_order
from ingest.faults import FaultList, nearest
from ingest.options import Split


def settle_classes(
    found: AnnotatedImages,
    told: Sequence[str] | None,
    rest: Split,
    cure: str,
    files: Files,
    faults: FaultList,
) -> list[str]:
    """The classes in order: ``told`` ones, declared ones, or those of the training boxes.

    ``rest`` is the split of images that nothing names. A box of another class is a fault, once a class;
    ``cure`` says what to do about it.
    """
    training = {box.name for image in found.images if (image.split or rest) == "train" for box in image.boxes}
    classes = list(told if told is not None else found.classes or in_order(training))
    if rest == "train" and not training and not faults.count:
        faults.add("/file", "no_boxes", "no image for training has a box, so there is nothing to detect")
    seen = set(classes)
    for image in found.images:
        for box in image.boxes:
            if box.name in seen:
                continue
            seen.add(box.name)
            assert image.source is not None
            split = image.split or rest
            what = f"{image.source}, {box.where}: {box.name!r} in split {split!r} is no class"
            what += "" if told is not None else " of the training images"
            place = files.at(image.source, box.where)
            faults.add(place, "unknown_class", f"{what}; {cure}; {nearest(box.name, classes)}")
    return classes
