"""One job that somebody watches: what all its readers are told, gathered once for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from starlette.concurrency import run_in_threadpool

from app.streams.sse import Signal, message
from jobs.errors import NotFound, Unavailable
from jobs.feed import Figures
from jobs.journal import end_of, events_from, journal
from jobs.record import Record
from jobs.store import Store
from trainer.layout import Volume

KEPT = 500
"""Messages that readers find here; who is further behind reads the job's history."""
_TRIES = 3

log = logging.getLogger("uvicorn.error")


class Channel:
    """The newest events of a job as messages. It keeps nothing for any reader: each knows its place.

    An event is shown once it is on the volume, so no loss of Redis takes back what was told.
    """

    def __init__(self, store: Store, volume: Volume, job_id: str) -> None:
        self._store, self._run, self._id = store, volume.job(job_id), job_id
        self._offset = 0
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self._wake = asyncio.Event()
        self._looking = asyncio.Lock()
        self._begun = False
        self._figures: dict[str, Any] = {}
        self.changed = Signal()
        self.seq = 0
        """Number of the newest event that readers are told of."""
        self.record: Record | None = None
        """As it was at the last look; None once there is none any more."""
        self.progress = b""
        """The newest message about progress; empty before the first."""

    async def begin(self) -> None:
        """Take the job as it is, once. NotFound where there is none."""
        async with self._looking:
            if not self._begun:
                await run_in_threadpool(self._begin)
                self._begun = True

    def _begin(self) -> None:
        self.record = self._store.get(self._id)
        journal(self._store, self._run, self._id)
        self._offset, self.seq = end_of(self._run)
        self._show_progress(self.record)

    def wake(self) -> None:
        """There may be something new."""
        self._wake.set()

    def show(self, figures: Figures) -> None:
        """New figures of a running job."""
        self._progress_is(figures.values)

    def after(self, seq: int) -> bytes | None:
        """The messages behind number ``seq``; None where some of them are not here any more."""
        if seq >= self.seq:
            return b""
        if not self._recent or self._recent[0][0] > seq + 1:
            return None
        return b"".join(text for number, text in self._recent if number > seq)

    @property
    def end(self) -> bytes | None:
        """The last message of a job that has ended and of which all events are here."""
        if self.record is None or not self.record.ended:
            return None
        record = self.record
        return message("end", {"status": record.state, "reason": record.reason, "detail": record.detail})

    async def follow(self) -> None:
        """Look whenever there may be something new, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self._looking:
                try:
                    await self._look_again()
                except Unavailable:
                    # It is looked again once the server is back.
                    continue
                except Exception:
                    log.exception("the events of %s cannot be read", self._id)

    async def _look_again(self) -> None:
        if not self._begun:
            return
        try:
            record, events = await run_in_threadpool(self._look)
        except NotFound:
            # A server that came back without its data: there is nothing left to tell.
            self.record = None
            self.changed.give()
            return
        for event in events:
            self.seq = event["seq"]
            self._recent.append((self.seq, message(event["type"], event, self.seq)))
        news = bool(events) or self.record is None or record.state != self.record.state
        self.record = record
        self._show_progress(record)
        if news:
            self.changed.give()

    def _look(self) -> tuple[Record, list[dict[str, Any]]]:
        events: list[dict[str, Any]] = []
        last = self.seq
        for _ in range(_TRIES):
            # The record is read first: what its number promises is then in the stream.
            record = self._store.get(self._id)
            if record.seq > last:
                journal(self._store, self._run, self._id)
                more, self._offset = events_from(self._run, self._offset)
                events += more
                last = events[-1]["seq"] if events else last
            # Of a job that was retried at this moment the record still tells its end.
            if not record.ended or record.seq >= last:
                break
        return record, events

    def _show_progress(self, record: Record) -> None:
        if record.progress:
            figures = {"progress": record.progress, "losses": record.losses, "metrics": record.metrics}
            self._progress_is(figures)

    def _progress_is(self, figures: dict[str, Any]) -> None:
        if figures != self._figures:
            self._figures = figures
            self.progress = message("progress", figures)
            self.changed.give()
