"""The data set of the job whose turn is next, brought to memory while it still waits."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from jobs.errors import NotFound
from jobs.settings import Settings
from jobs.store import Store

MOST_BYTES = 1 << 30
"""Of one data set. What is read ahead takes the place of what others have in memory."""


class ReadingAhead:
    """Looks at the next job; asks the system to read its data set, once for each job."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._volume = settings.volume
        self._store = store
        self._asked: set[str] = set()

    def look(self, classes: Iterable[str | None]) -> None:
        """``classes`` of jobs that this worker can take. Raises Unavailable while Redis is away."""
        waiting = {job_id for name in classes for job_id in self._store.ready(name, 1)}
        for job_id in waiting - self._asked:
            try:
                dataset = self._store.get(job_id).dataset
            except NotFound:
                continue
            read_ahead(self._volume.dataset(dataset).path)
        self._asked = waiting


def read_ahead(folder: Path) -> None:
    """Have the system read a folder's files into its memory, as far as ``MOST_BYTES`` go; does not wait."""
    room = MOST_BYTES
    try:
        for path in sorted(folder.iterdir()):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                wanted = min(room, os.fstat(descriptor).st_size)
                os.posix_fadvise(descriptor, 0, wanted, os.POSIX_FADV_WILLNEED)
            finally:
                os.close(descriptor)
            room -= wanted
            if not room:
                return
    except OSError:
        # Whoever needs the files will say what is wrong with them.
        return
