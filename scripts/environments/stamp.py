"""Telling whether an environment is still what its inputs would make."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RECORD = "setup.json"


def digest(*words: str, files: Iterable[Path]) -> str:
    """One digest over ``words`` and the contents of ``files``."""
    content = hashlib.sha256("\0".join(words).encode())
    for path in files:
        content.update(hashlib.sha256(path.read_bytes()).digest())
    return content.hexdigest()


def recorded(environment: Path) -> dict[str, Any]:
    """What the last complete set-up of ``environment`` left; empty where there was none."""
    try:
        record = json.loads((environment / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def record(environment: Path, **values: Any) -> None:
    """Written last: its presence says that ``environment`` is complete."""
    (environment / RECORD).write_text(json.dumps(values, indent=1) + "\n")


@contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """Two set-ups at once take turns."""
    with (root / ".setup.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
