"""The split that a path tells by its words: ``val/cat/1.jpg``, ``instances_train2017.json``."""

from __future__ import annotations

import re

from ingest.options import Split

_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
}


def split_of_folder(path: str) -> Split | None:
    """The split of the first folder on the way to a file whose name is a word for one, digits aside."""
    for folder in path.split("/")[:-1]:
        words = _words(folder)
        if len(words) == 1 and words[0] in _WORDS:
            return _WORDS[words[0]]
    return None


def split_of_file(path: str) -> Split | None:
    """The split that a word in the file's own name tells, or else its folder."""
    words = _words(path.rpartition("/")[2])
    return next((_WORDS[word] for word in words if word in _WORDS), split_of_folder(path))


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.casefold())
