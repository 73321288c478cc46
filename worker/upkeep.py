"""What a worker does beside its attempts: stay on the list of workers, reconcile."""

from __future__ import annotations

import logging
import threading
import time

from jobs.errors import Unavailable
from jobs.queue import TokenQueue
from jobs.recovery.reconcile import reconcile, requeue_of
from jobs.recovery.rescan import rescan_if_lost
from jobs.schedule import satisfied
from jobs.settings import Settings
from jobs.store import Store
from jobs.workers import ENTRY_SECONDS, WorkerEntry, register, unregister
from worker.reading_ahead import ReadingAhead

_PASS_SECONDS = 1.0

log = logging.getLogger(__name__)


class Upkeep(threading.Thread):
    """A daemon thread with a Redis client of its own, which outlives outages of Redis."""

    def __init__(self, settings: Settings, entry: WorkerEntry) -> None:
        super().__init__(name="upkeep", daemon=True)
        self.classes: list[str | None] = [None]
        """The classes of jobs that this worker's labels will do for."""
        self.between_passes = threading.Lock()
        """Held during a pass: nobody forks then, so no child inherits a lock half-way taken."""
        self._settings = settings
        self._entry = entry
        self._store = Store.open(settings)
        self._queue = TokenQueue(self._store.client)
        self._reading_ahead = ReadingAhead(settings, self._store)
        self._ending = threading.Event()

    def run(self) -> None:
        renew_at = 0.0
        while not self._ending.wait(_PASS_SECONDS):
            with self.between_passes:
                try:
                    if time.monotonic() >= renew_at:
                        register(self._store, self._entry)
                        renew_at = time.monotonic() + ENTRY_SECONDS / 3
                    rescan_if_lost(self._store, self._queue, self._settings)
                    self.classes = [None] + [
                        name
                        for name, requires in self._store.worker_classes().items()
                        if satisfied(requires, self._entry.labels)
                    ]
                    reconcile(self._store, self._queue, self._settings)
                    self._reading_ahead.look(self.classes)
                except Unavailable:
                    renew_at = 0.0
                except Exception:
                    log.exception("a pass of the reconciler failed; the next one tries again")

    def supervisor_died(self) -> None:
        """Have the job that this worker ran queued again at once, not when its lease has run out."""
        with self.between_passes:
            try:
                requeue_of(self._store, self._queue, self._settings, self._entry.name)
            except Unavailable:
                # The lease of the attempt runs out meanwhile.
                return

    def stop(self) -> None:
        """End the thread and take the worker off the list."""
        self._ending.set()
        self.join(timeout=_PASS_SECONDS)
        try:
            unregister(self._store, self._entry.name)
        except Unavailable:
            return
