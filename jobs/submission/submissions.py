"""Submissions that come at the same time, queued together by one thread."""

from __future__ import annotations

import logging
import queue as queues
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from jobs.idempotency import Claim
from jobs.settings import Settings
from jobs.store import Store
from jobs.submission.new_run import Submission
from jobs.submission.submit import Submitted, enqueue_all, prepare
from jobs.tracing import tracing
from jobs.writing import sync_file_system

MOST_TOGETHER = 64
SYNC_SECONDS = 1.0
"""How long what was written may take to reach the disk: as long as what Redis acknowledged."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """A spec as it was posted."""

    document: Mapping[str, Any]
    claim: Claim | None
    owner: str | None
    prepared: Submission | None = None
    """What was made of it already, where that takes long."""
    traceparent: str | None = field(default_factory=tracing.traceparent)


Outcome = Submitted | Exception
"""The job, or why there is none."""


@dataclass(frozen=True)
class _Asked:
    requests: Sequence[Request]
    tell: Callable[[Sequence[Outcome]], None]


class Submissions:
    """Queues jobs. What was answered survives the death of every process; a power cut takes a second at most.

    A file need not be synced to outlive the process that wrote it. The disk has all of it a second later.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._waiting: queues.SimpleQueue[_Asked | None] = queues.SimpleQueue()
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

    def add(self, requests: Sequence[Request], tell: Callable[[Sequence[Outcome]], None]) -> None:
        """Have jobs queued; ``tell`` is called once with what became of each, in the thread that did it."""
        self._waiting.put(_Asked(requests, tell))

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            together = [first]
            with suppress(queues.Empty):
                while sum(len(asked.requests) for asked in together) < MOST_TOGETHER:
                    another = self._waiting.get_nowait()
                    if another is None:
                        self._waiting.put(None)
                        break
                    together.append(another)
            outcomes = iter(self._outcomes([request for asked in together for request in asked.requests]))
            for asked in together:
                asked.tell([next(outcomes) for _ in asked.requests])

    def _outcomes(self, requests: Sequence[Request]) -> list[Outcome]:
        """What becomes of requests that are queued together."""
        prepared = [self._prepared(request) for request in requests]
        ready = [found for found in prepared if isinstance(found, Submission)]
        made: Iterator[Outcome] = iter(self._enqueued(ready))
        return [next(made) if isinstance(found, Submission) else found for found in prepared]

    def _prepared(self, request: Request) -> Submission | Exception:
        try:
            found = request.prepared or prepare(
                request.document, self._store, self._settings, request.claim, request.owner
            )
            return replace(found, traceparent=request.traceparent)
        except Exception as error:
            return error

    def _enqueued(self, ready: list[Submission]) -> Sequence[Outcome]:
        if not ready:
            return []
        try:
            return enqueue_all(ready, self._store, self._settings.volume)
        except Exception as error:
            return [error] * len(ready)
        finally:
            self._dirty.set()

    def _sync(self) -> None:
        while not self._closing.is_set():
            self._dirty.wait()
            self._dirty.clear()
            try:
                sync_file_system(self._settings.volume.path)
            except OSError as error:
                log.warning("what was submitted cannot be brought to the disk: %s", error)
            self._closing.wait(SYNC_SECONDS)
