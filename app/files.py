"""Downloads of files from the volume: only what a listing names can be had."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from app.ranges import PIECE_BYTES, FileContent, Ranged, answers, attachment, media_type_of, opened
from app.resources.files import File
from jobs.errors import NotFound

REMEMBERED = 4096
_digests: dict[tuple[int, ...], str] = {}

DOWNLOAD = answers(
    "application/octet-stream",
    "the file's bytes",
    **{"Content-Digest": "RFC 9530, sha-256", "Repr-Digest": "the same; of a part too"},
)
"""What a download may answer."""


def files_below(folder: Path, href: str) -> Iterator[File]:
    """The regular files below ``folder``, by their relative paths.

    What is still being written, or was when its writer died, has a name that begins with a dot.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            relative = path.relative_to(folder).as_posix()
            yield File(path=relative, size=path.stat().st_size, href=f"{href}/{quote(relative)}")


def download(folder: Path, wanted: str, listed: Iterable[File], asked: Ranged) -> FileContent:
    """The file ``wanted`` if it is among ``listed``: no path outside of a listing is ever opened."""
    found = next((file for file in listed if file.path == wanted), None)
    if found is None:
        raise NotFound(f"there is no file {wanted!r} here")
    file, size = opened(folder / found.path)
    try:
        sha256 = found.sha256 or digest_of(file, size)
    except BaseException:
        file.close()
        raise
    name = folder.joinpath(found.path).name
    return FileContent(
        file,
        size,
        asked,
        tag=f'"{sha256}"',
        media_type=media_type_of(name),
        sha256=sha256,
        headers=attachment(name),
    )


def digest_of(file: BinaryIO, size: int) -> str:
    """SHA-256 of the first ``size`` bytes. It is remembered for as long as the file stays as it is."""
    about = os.fstat(file.fileno())
    state = (about.st_dev, about.st_ino, about.st_mtime_ns, size)
    known = _digests.get(state)
    if known is None:
        known = _sha256(file, size)
        if len(_digests) >= REMEMBERED:
            _digests.clear()
        _digests[state] = known
    return known


def _sha256(file: BinaryIO, size: int) -> str:
    digest = hashlib.sha256()
    while size and (piece := file.read(min(PIECE_BYTES, size))):
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()
