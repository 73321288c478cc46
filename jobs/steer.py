"""Pause a job and resume it, whatever it does at that moment."""

from __future__ import annotations

from jobs.queue import TokenQueue
from jobs.record import Record
from jobs.states import State
from jobs.store import Store


def pause(job_id: str, store: Store) -> Record:
    """The job, paused, or about to be once its trainer has saved and left."""
    return store.request_pause(job_id)


def resume(job_id: str, store: Store, queue: TokenQueue) -> Record:
    """The job, queued with a token, or running on where it had not paused yet."""
    paused = store.get(job_id).state is State.PAUSED
    record = store.request_resume(job_id)
    # A second token, where somebody else resumed it between the two, does no harm.
    if paused and record.state is State.QUEUED:
        queue.push(job_id, record.worker_class)
    return record
