"""CNTK's map files: a line an image, ``path TAB number of its class``; one file a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.columns import MAX_CLASSES
from ingest.faults import FaultList
from ingest.images.archives import Archive
from ingest.images.labels import Labels, with_unlabelled
from ingest.images.listing import Entry, Listing
from ingest.images.names import beside, cleaned
from ingest.images.options import ImageOptions
from ingest.images.texts import class_names, lines_of, split_files
from ingest.options import SPLITS, Split

STEM = "map"


def has_maps(archive: Archive) -> bool:
    return bool(split_files(archive, STEM, FaultList()))


def list_maps(
    archives: Sequence[Archive], options: ImageOptions, unlabelled: bool, faults: FaultList
) -> Listing:
    """The images that the map files name, in their order.

    ``unlabelled``: whether a line without a number may be in any file, not in test's alone.
    """
    names = class_names(archives, options.class_names, faults)
    found: list[Entry] = []
    for archive in archives:
        files = split_files(archive, STEM, faults)
        if not files:
            problem = "the archive has no map file, such as train_map.txt"
            faults.add(archive.at(), "empty", problem)
        for split in (None, *SPLITS):
            if split in files:
                found += _entries(archive, files[split], split, names, faults)
    entries = with_unlabelled(found, unlabelled, faults)
    return Listing(entries, Labels(entries, names, numbered=names is None))


def _entries(
    archive: Archive, path: str, split: Split | None, names: Sequence[str] | None, faults: FaultList
) -> Iterator[Entry]:
    most = len(names) if names is not None else MAX_CLASSES
    for number, line in lines_of(archive, path, faults):
        image, _, code = line.partition("\t")
        code = code.strip()
        place = archive.at(path, f"line {number}")
        if code and not (code.isascii() and code.isdigit()):
            problem = f"line {number}: {code!r} is no class's number; a line is a path, a TAB and a number"
            faults.add(place, "malformed_map", problem)
            continue
        if code and int(code) >= most:
            problem = f"line {number}: the class {code}, which is not in 0..{most - 1:,}"
            faults.add(place, "out_of_range", problem)
            continue
        label = None
        if code:
            label = names[int(code)] if names is not None else str(int(code))
        yield Entry(archive, _found(archive, path, image.strip()), split, label)


def _found(archive: Archive, path: str, image: str) -> str:
    """Where the image lies: beside its map file, or seen from the archive's root; it may be missing."""
    near = beside(path, image)
    root = cleaned(image.replace("\\", "/"))
    return root if near not in archive.sizes and root in archive.sizes else near
