"""How many CPU threads a job may have: what workers announce, shared among those of one machine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from jobs.schedule import satisfied
from jobs.store import Store
from jobs.workers import WorkerEntry, list_workers

REMEMBERED_SECONDS = 3.0
"""For so long jobs go by what was found of the workers before."""

_remembered: WeakKeyDictionary[Store, tuple[float, Sequence[WorkerEntry]]] = WeakKeyDictionary()


def allowed(requires: Mapping[str, list[str]], store: Store) -> int:
    """Threads that every worker has for a job that requires these labels; 1 where there is no such worker.

    Unavailable while Redis is away and no worker was heard of lately.
    """
    now = time.monotonic()
    asked, workers = _remembered.get(store, (now, ()))
    if not workers or now - asked > REMEMBERED_SECONDS:
        workers = list_workers(store)
        _remembered[store] = now, workers
    return share(requires, workers)


def share(requires: Mapping[str, list[str]], workers: Sequence[WorkerEntry]) -> int:
    """The least that is left to one of the workers with these labels, and 1 where there is none.

    No worker has more than its part of the machine's cores: workers in containers do not know of each other.
    """
    there = Counter(entry.machine.id for entry in workers if entry.machine)
    parts = [
        min(entry.threads, entry.machine.cores // there[entry.machine.id] if entry.machine else entry.threads)
        for entry in workers
        if satisfied(requires, entry.labels)
    ]
    return max(1, min(parts, default=1))
