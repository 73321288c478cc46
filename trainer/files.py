"""Files as both interpreters write and read them: whole ones, and lines that are appended.

Runs on CPython 3.6 and on the modern side alike; standard library only. Whole files
appear by temporary write, fsync and rename.
"""

import errno
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, Optional

_SYNCS_AT_ONCE = 8


def sync_all(paths: Iterable[Path]) -> None:
    """Make files, and the names inside folders, durable: at the same time, for which a disk waits once."""
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as pool:
        # The first error is raised.
        list(pool.map(_sync, paths))


def fsync_folder(folder: Path) -> None:
    """Make the names inside ``folder`` durable."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes, durable: bool = True) -> None:
    """Replace ``path`` by ``data`` so that a reader sees the old file or the new one.

    What is not ``durable`` may be empty after a power cut, unless ``sync_all`` has seen to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=str(path.parent), prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.rename(temporary, str(path))
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        fsync_folder(path.parent)


def write_json(path: Path, value: Any, durable: bool = True) -> None:
    """``write_whole`` of a JSON document. NaN is refused: JSON has no word for it."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    write_whole(path, text.encode("utf-8") + b"\n", durable)


def read_json(path: Path) -> Any:
    """The JSON document at ``path``."""
    return json.loads(path.read_text(encoding="utf-8"))


def append_line(path: Path, value: Dict[str, Any]) -> None:
    """Append one JSON object as one line, in one write."""
    line = json.dumps(value, sort_keys=True, allow_nan=False) + "\n"
    descriptor = os.open(str(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode("utf-8"))
    finally:
        os.close(descriptor)


def complete_lines(path: Path, offset: int = 0) -> Iterator["Line"]:
    """The whole lines of ``path`` from byte ``offset`` on; a torn last line is left for later."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        stream.seek(offset)
        for raw in stream:
            if not raw.endswith(b"\n"):
                return
            offset += len(raw)
            yield Line(offset, raw)


class Line:
    """One appended line and the byte offset just behind it."""

    def __init__(self, end: int, raw: bytes) -> None:
        self.end = end
        self.raw = raw

    def value(self) -> Optional[Dict[str, Any]]:
        """The JSON object, or None where the line holds none."""
        try:
            found = json.loads(self.raw.decode("utf-8"))
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


VOLUME_FAULTS = frozenset(
    [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT]
)
"""What a full, read-only, broken or absent volume answers with. It says nothing of the job."""


def is_volume_fault(error: Optional[BaseException]) -> bool:
    """Whether an error is the volume's. CNTK tells of one by its words alone, in a RuntimeError."""
    if isinstance(error, OSError):
        return error.errno in VOLUME_FAULTS
    words = (os.strerror(number) for number in VOLUME_FAULTS)
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
