"""The lock of a run directory: one trainer at a time, whatever became of earlier supervisors."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trainer.layout import RunDirectory
from worker.processes import kill_recorded

_LEAVING_SECONDS = 1.0
"""How long a supervisor whose job is another's by now may take to let go of it."""


@contextmanager
def locked(
    run: RunDirectory, attempt: int, wanted: Callable[[], bool], wait: Callable[[], object]
) -> Iterator[int | None]:
    """The run's lock, exclusively: its descriptor, or None where it was not ``wanted`` any longer.

    A trainer whose supervisor died may still hold it: where it is of this machine it is
    killed, elsewhere its own worker will kill it as soon as it learns of this claim. So may a
    supervisor that hangs between taking the lock and leaving it to its trainer.
    """
    descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o644)
    leaving = time.monotonic() + _LEAVING_SECONDS
    try:
        while not _try_lock(descriptor):
            if not wanted():
                yield None
                return
            _kill_recorded(run, before=attempt, supervisors=time.monotonic() > leaving)
            wait()
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_recorded(run: RunDirectory, before: int, *, supervisors: bool) -> None:
    for number in range(1, before):
        kill_recorded(run.attempt(number).process)
        if supervisors:
            kill_recorded(run.attempt(number).supervisor)
