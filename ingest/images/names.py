"""Paths inside an archive: what they mean, and which are refused."""

from __future__ import annotations

import re
from posixpath import join, normpath

LONGEST_PATH = 1000
MOST_FOLDERS = 32
"""Within each other."""


def cleaned(path: str) -> str:
    """The path without ``.`` steps and doubled slashes."""
    return "/".join(step for step in path.split("/") if step not in ("", "."))


def path_problem(path: str) -> str | None:
    """Why no file of an archive may be called so."""
    if len(path) > LONGEST_PATH:
        return f"has {len(path):,} characters, where {LONGEST_PATH:,} are allowed"
    if path.count("/") > MOST_FOLDERS:
        return f"lies {path.count('/'):,} folders deep, where {MOST_FOLDERS} are allowed"
    if re.search(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", path):
        return "holds control characters or bytes that are no UTF-8"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute; paths are relative to the archive"
    if "\\" in path:
        return "holds a backslash; folders are told by /"
    if ".." in path.split("/"):
        return "leads out of the archive by '..'"
    return None


def is_hidden(path: str) -> bool:
    """Whether a system left the file there: .DS_Store, __MACOSX/..., Thumbs.db."""
    steps = path.split("/")
    return any(step.startswith(".") or step == "__MACOSX" for step in steps) or steps[-1] == "Thumbs.db"


def beside(path: str, other: str) -> str:
    """``other``, as a file at ``path`` names it, from the root of the archive; it may lead out of it."""
    folder = path.rpartition("/")[0]
    return normpath(join(folder, other.replace("\\", "/").removeprefix(".../")))
