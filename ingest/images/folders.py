"""Images in class folders: ``train/cat/1.jpg``, or ``cat/1.jpg`` where no folder tells the split."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.faults import FaultList
from ingest.images.archives import Archive
from ingest.images.decode import EXTENSIONS
from ingest.images.labels import Labels, with_unlabelled
from ingest.images.listing import SPLIT_FOLDERS, Entry, Listing
from ingest.images.names import is_hidden
from ingest.options import SPLITS


def image_paths(archive: Archive) -> list[str]:
    """The files that are called like images, hidden ones left out, by text."""
    return sorted(path for path in archive.sizes if path.lower().endswith(EXTENSIONS) and not is_hidden(path))


def list_folders(archives: Sequence[Archive], unlabelled: bool, faults: FaultList) -> Listing:
    """``unlabelled``: whether images without a class may be anywhere, not for test alone."""
    found = [entry for archive in archives for entry in _entries(archive, faults)]
    entries = with_unlabelled(found, unlabelled, faults)
    return Listing(entries, Labels(entries))


def _entries(archive: Archive, faults: FaultList) -> list[Entry]:
    paths = image_paths(archive)
    start = _wrapping(paths)
    steps_of = {path: path.split("/")[start:] for path in paths}
    in_splits = any(_is_split(steps) for steps in steps_of.values())
    entries = []
    for path, steps in steps_of.items():
        split = None
        if in_splits:
            if not _is_split(steps):
                problem = f"{path!r} lies beside the folders of the splits; put it into one, or leave it out"
                faults.add(archive.at(path), "unassigned_file", problem)
                continue
            split = SPLIT_FOLDERS[steps[0].casefold()]
            steps = steps[1:]
        entries.append(Entry(archive, path, split, steps[0] if len(steps) > 1 else None))
    return sorted(entries, key=lambda entry: (SPLITS.index(entry.split or "train"), entry.path))


def _is_split(steps: list[str]) -> bool:
    return len(steps) > 1 and steps[0].casefold() in SPLIT_FOLDERS


def _wrapping(paths: Sequence[str]) -> int:
    """How many folders around everything tell nothing: ``pets/train/cat/1.jpg`` has one."""
    depth = 0
    while True:
        below = [path.split("/")[depth:] for path in paths]
        if len({steps[0] for steps in below}) != 1 or any(map(_is_split, below)):
            return depth
        if not any(_is_split(steps[1:]) for steps in below) and any(len(steps) < 3 for steps in below):
            return depth
        depth += 1
