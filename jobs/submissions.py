"""Submissions that come at the same time, queued together by one thread."""

from __future__ import annotations

import logging
import queue as queues
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.idempotency import Claim
from jobs.settings import Settings
from jobs.store import Store
from jobs.submit import Submission, Submitted, enqueue_all, prepare
from jobs.tracing import tracing
from jobs.writing import sync_file_system

MOST_TOGETHER = 64
SYNC_SECONDS = 1.0
"""How long what was written may take to reach the disk: as long as what Redis acknowledged."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A spec as it was posted, and what its sender is told in the end."""

    document: Mapping[str, Any]
    claim: Claim | None
    owner: str | None
    prepared: Submission | None = None
    """What was made of it already, where that takes long."""
    traceparent: str | None = field(default_factory=tracing.traceparent)
    answer: Future[Submitted] = field(default_factory=Future)


class Submissions:
    """Queues jobs. What was answered survives the death of every process; a power cut takes a second at most.

    A file need not be synced to outlive the process that wrote it. The disk has all of it a second later.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._waiting: queues.SimpleQueue[Request | None] = queues.SimpleQueue()
        self._dirty = threading.Event()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="submissions"),
            threading.Thread(target=self._sync, name="syncing"),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Queue what has come, bring all of it to the disk, and end."""
        self._waiting.put(None)
        self._closing.set()
        self._dirty.set()
        for thread in self._threads:
            thread.join()

    def add(self, request: Request) -> Future[Submitted]:
        """What becomes of a request: the job, or why there is none."""
        self._waiting.put(request)
        return request.answer

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            together = [first]
            with suppress(queues.Empty):
                while len(together) < MOST_TOGETHER:
                    another = self._waiting.get_nowait()
                    if another is None:
                        self._waiting.put(None)
                        break
                    together.append(another)
            self._queue(together)

    def _queue(self, requests: list[Request]) -> None:
        ready: list[tuple[Request, Submission]] = []
        for request in requests:
            if not request.answer.set_running_or_notify_cancel():
                continue
            try:
                made = request.prepared or prepare(
                    request.document, self._store, self._settings, request.claim, request.owner
                )
                ready.append((request, replace(made, traceparent=request.traceparent)))
            except Exception as error:
                request.answer.set_exception(error)
        if not ready:
            return
        try:
            submissions = [submission for _, submission in ready]
            found = enqueue_all(submissions, self._store, self._settings.volume)
        except Exception as error:
            for request, _ in ready:
                request.answer.set_exception(error)
            return
        self._dirty.set()
        for (request, _), outcome in zip(ready, found, strict=True):
            if isinstance(outcome, Submitted):
                request.answer.set_result(outcome)
            else:
                request.answer.set_exception(outcome)

    def _sync(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._dirty.clear()
            try:
                sync_file_system(self._settings.volume.path)
            except OSError as error:
                log.warning("what was submitted cannot be brought to the disk: %s", error)
            self._closing.wait(SYNC_SECONDS)
