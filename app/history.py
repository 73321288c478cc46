"""A job's events from where they are whole: the volume, brought up to date from the stream."""

from __future__ import annotations

import sys
from typing import Any

from jobs.journal import journal, read_events
from jobs.store import Store
from trainer.layout import Volume


def history(
    store: Store, volume: Volume, job_id: str, *, after: int = 0, limit: int = sys.maxsize
) -> list[dict[str, Any]]:
    """Events of a job with a number greater than ``after``, oldest first."""
    run = volume.job(job_id)
    journal(store, run, job_id)
    return read_events(run, after, limit)
