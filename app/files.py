"""Downloads of files from the volume: only what a listing names can be had."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from fastapi.responses import FileResponse

from app.resources.files import File
from jobs.errors import NotFound


def files_below(folder: Path, href: str) -> Iterator[File]:
    """The regular files below ``folder``, by their relative paths.

    What is still being written, or was when its writer died, has a name that begins with a dot.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            relative = path.relative_to(folder).as_posix()
            yield File(path=relative, size=path.stat().st_size, href=f"{href}/{relative}")


def download(folder: Path, wanted: str, listed: Iterable[File]) -> FileResponse:
    """The file ``wanted`` if it is among ``listed``: no path outside of a listing is ever opened."""
    found = next((file for file in listed if file.path == wanted), None)
    if found is None:
        raise NotFound(f"there is no file {wanted!r} here")
    path = folder / found.path
    headers = {"ETag": f'"{found.sha256}"'} if found.sha256 else None
    return FileResponse(path, filename=path.name, headers=headers)
