"""VOLUME/incoming: folders of what is under way, which die with their process."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.layout import Volume


def sweep_incoming(volume: Volume) -> int:
    """Delete what killed processes left in VOLUME/incoming; returns the number of entries.

    A folder that a living process works in is locked, and stays.
    """
    swept = 0
    for entry in volume.incoming.iterdir() if volume.incoming.is_dir() else ():
        try:
            descriptor = os.open(entry, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            # Its process has just finished with it.
            continue
        except NotADirectoryError:
            entry.unlink(missing_ok=True)
            swept += 1
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(entry, ignore_errors=True)
            swept += 1
        finally:
            os.close(descriptor)
    return swept


@contextmanager
def incoming_folder(volume: Volume, prefix: str) -> Iterator[Path]:
    """A locked folder in VOLUME/incoming that is gone afterwards."""
    volume.incoming.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=volume.incoming))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
