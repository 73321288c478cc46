"""Records as a submission leaves them, for tests and benchmarks that need no run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobs.errors import JobsError
from jobs.queueing import New, being_deleted
from jobs.record import Record
from jobs.store import Store


def queued(
    store: Store,
    record: Record,
    *,
    token: Mapping[str, Any] | None = None,
    placing: Mapping[str, Any] | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Record:
    """The record in the store. ``meanwhile`` happens between the look at deletions and the writing."""
    deletions = store.deletions([record.dataset], afresh=True)
    if deletions[record.dataset] is None:
        raise being_deleted(record.dataset)
    meanwhile()
    made = store.create_all([New(record, placing or {}, token)], deletions)[0]
    if isinstance(made, JobsError):
        raise made
    return made
