"""A job's events: those on the volume, and what could not be brought there yet."""

from __future__ import annotations

import sys
from typing import Any

from jobs.events import event_document
from jobs.journal import journal_if_possible, read_events
from jobs.store import Store
from jobs.volume import require_volume
from trainer.layout import Volume


def history(
    store: Store, volume: Volume, job_id: str, *, after: int = 0, limit: int = sys.maxsize
) -> list[dict[str, Any]]:
    """Events of a job with a number greater than ``after``, oldest first."""
    require_volume(volume)
    run = volume.job(job_id)
    last = journal_if_possible(store, run, job_id)
    found = read_events(run, after, limit)
    if len(found) < limit:
        for event in store.events_after(job_id, max(after, last))[: limit - len(found)]:
            found.append(event_document(event.seq, event.time, event.attempt, event.data))
    return found
