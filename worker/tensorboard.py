"""Event files for TensorBoard, written while a job trains: ``artifacts/tensorboard/``, one file an attempt.

What an attempt does again does not show twice: its file begins with the mark (SessionLog.START) that has
TensorBoard forget everything from that step on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from jobs.events import EventType
from trainer.layout import RunDirectory
from worker.facts import Fact, Followed, Written

log = logging.getLogger("worker")

FLUSH_SECONDS = 2.0


class Board:
    """The event files of a job, kept up by the worker of one of its attempts.

    Whatever goes wrong here is not the job's trouble: it is logged, and nothing more is written.
    """

    def __init__(self, run: RunDirectory, attempt: int) -> None:
        self._run = run
        self._number = attempt
        self._folder = run.artifacts / "tensorboard"
        self._followed: Followed | None = None
        self._writer: Any = None
        self._events: list[Any] = []
        self._again_from: int | None = None
        """From which step on this attempt repeats others, until its mark is written."""
        self._epoch_told: int | None = None
        """A step whose epoch an earlier attempt has told of."""
        self._next = 0.0
        self._broken = False

    def look(self, *, last: bool = False) -> None:
        """Write what was reported since the last time; at most every other second, unless it is the last."""
        if self._broken or not (last or time.monotonic() >= self._next):
            return
        self._next = time.monotonic() + FLUSH_SECONDS
        try:
            self._look()
            if last and self._writer is not None:
                self._writer.close()
        except Exception as error:
            self._broken = True
            log.warning("TensorBoard's files of %s cannot be written: %r", self._run.path.name, error)

    def _look(self) -> None:
        if self._followed is None:
            self._followed = Followed(self._run, self._number, self._run.path / "tensorboard.json")
            self._take_back(self._followed.written)
        for attempt, fact in self._followed.news():
            self._take(attempt, fact)
        if not self._events:
            return
        if self._writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            # TensorBoard reads the files in the order of their names.
            self._writer = EventsWriter(str(self._folder / f"{self._number:05d}"))
        for event in self._events:
            self._writer.write_event(event)
        self._events.clear()
        self._writer.flush()
        (own,) = self._files(self._number)
        self._followed.save(own.stat().st_size)

    def _files(self, attempt: int) -> list[Path]:
        return list(self._folder.glob(f"{attempt:05d}.*"))

    def _take_back(self, written: Written) -> None:
        """Remove what killed workers have written without saving how far they had come."""
        for attempt in range(max(1, written.attempt), self._number):
            for path in self._files(attempt):
                if attempt == written.attempt:
                    os.truncate(path, written.size)
                else:
                    path.unlink()

    def _take(self, attempt: int, fact: Fact) -> None:
        if fact["type"] == EventType.STARTED:
            self._again_from = 0 if attempt > 1 else None
        elif fact["type"] == EventType.RESTORED and attempt > 1:
            step = fact["step"]
            self._again_from = step + 1
            # A checkpoint may have been saved at the last minibatch of an epoch, before its end was told.
            told = self._followed.earlier(EventType.EPOCH) if self._followed else ()
            self._epoch_told = step if any(epoch["step"] == step for epoch in told) else None
        for tag, value in scalars(fact):
            if fact["step"] == self._epoch_told:
                continue
            if self._again_from is not None:
                mark = SessionLog(status=SessionLog.START)
                self._events.append(Event(wall_time=fact["time"], step=self._again_from, session_log=mark))
                self._again_from = None
            self._events.append(Event(wall_time=fact["time"], step=fact["step"], summary=scalar(tag, value)))


def scalars(fact: Fact) -> Iterator[tuple[str, float]]:
    """What a fact has to show: a tag and a value each."""
    found: dict[str, float | None] = {}
    if fact["type"] == EventType.EPOCH:
        for what in ("losses", "metrics"):
            for split, values in fact[what].items():
                found |= {f"{what}/{name}/{split}": value for name, value in values.items()}
        found["learning_rate"] = fact["learning_rate"]
    elif fact["type"] == "progress" and "step" in fact:
        found["minibatch/loss"] = fact.get("losses", {}).get("minibatch", {}).get("total")
        found["minibatch/samples_per_second"] = fact.get("samples_per_second")
    return ((tag, value) for tag, value in found.items() if value is not None)
