"""Text files of an archive, as far as layouts share them: lines, files of a split, names of classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ingest.faults import FaultList, listing, nearest
from ingest.images.archives import Archive, Unreadable
from ingest.images.listing import SPLIT_FOLDERS
from ingest.images.names import is_hidden
from ingest.options import Split

MAX_TEXT_BYTES = 64 << 20
CLASS_FILES = ("class_map.txt", "class_names.txt", "classes.txt")
"""What a file that names the classes may be called without being told."""
_SPLIT = "|".join(SPLIT_FOLDERS)


def lines_of(archive: Archive, path: str, faults: FaultList) -> Iterator[tuple[int, str]]:
    """The lines of a UTF-8 file that hold something, and their numbers from 1."""
    try:
        text = archive.read(path, MAX_TEXT_BYTES).decode("utf-8-sig")
    except Unreadable as problem:
        faults.add(archive.at(path), "damaged", f"{path!r} {problem}")
        return
    except UnicodeDecodeError as error:
        faults.add(archive.at(path), "not-utf-8", f"{path!r} is not UTF-8: {error}; save it so")
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line


def split_files(archive: Archive, stem: str, faults: FaultList) -> dict[Split | None, str]:
    """The files ``train_<stem>.txt`` and so on by their split; ``<stem>.txt`` by None."""
    pattern = re.compile(rf"(?:({_SPLIT})[_.-]?)?{stem}\.txt", re.IGNORECASE)
    found: dict[Split | None, str] = {}
    for path in archive.sizes:
        match = pattern.fullmatch(path.rpartition("/")[2])
        if match is None or is_hidden(path):
            continue
        split = SPLIT_FOLDERS[match[1].casefold()] if match[1] else None
        if split in found:
            problem = f"{path!r} and {found[split]!r} are both for {split or 'no split'}; keep one of them"
            faults.add(archive.at(path), "duplicate", problem)
        found[split] = path
    return found


def class_names(archives: Sequence[Archive], told: str | None, faults: FaultList) -> list[str] | None:
    """The classes by number, as a file of an archive names them: the one that is told, or one of CLASS_FILES.

    A line a class, or ``name TAB number``. None where there is no such file.
    """
    for archive in archives:
        called = [path for path in archive.sizes if path.rpartition("/")[2].lower() in CLASS_FILES]
        if told is not None:
            called = [told] if told in archive.sizes else []
        if called:
            return _class_names(archive, min(called, key=len), faults)
    if told is not None:
        known = [path for archive in archives for path in archive.sizes]
        problem = f"no file of the archive is called {told!r}; {nearest(told, known)}"
        faults.add("/options/images/class_names", "unknown_file", problem)
    return None


def _class_names(archive: Archive, path: str, faults: FaultList) -> list[str]:
    names: list[str] = []
    numbers: list[str] = []
    for _, line in lines_of(archive, path, faults):
        name, _, number = line.strip().rpartition("\t") if "\t" in line.strip() else (line.strip(), "", "")
        names.append(name.strip())
        numbers.append(number.strip())
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        faults.add(archive.at(path), "duplicate", f"{path!r} names {listing(repeated)} more than once")
    if not names:
        faults.add(archive.at(path), "empty", f"{path!r} names no class")
    if not any(numbers):
        return names
    if sorted(numbers) != sorted(str(number) for number in range(len(names))):
        problem = f"{path!r} does not number its {len(names):,} classes from 0 to {len(names) - 1:,}"
        faults.add(archive.at(path), "malformed_map", problem)
        return names
    return [name for _, name in sorted(zip(map(int, numbers), names, strict=True))]
