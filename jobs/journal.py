"""events.jsonl: the stream of a job's events, copied to the volume by whoever comes by."""

from __future__ import annotations

import fcntl
import json
import os
from itertools import islice
from typing import Any, BinaryIO

from jobs.events import event_document, event_line
from jobs.store import Store
from trainer.files import complete_lines, is_volume_fault
from trainer.layout import RunDirectory

_TAIL_BYTES = 64 * 1024


def journal(store: Store, run: RunDirectory, job_id: str) -> int:
    """Append to events.jsonl what only the stream has; the number of the last event then.

    Any process may do this at any time: the file's own last number decides what is new, and
    a lock on the file keeps two from appending at once. Events leave the stream once they
    are durable on the volume. Does nothing where there is no run directory.
    """
    if not run.spec.exists():
        return 0
    with run.events.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        last = _drop_torn_line(file)
        lines = [
            event_line(event_document(event.seq, event.time, event.attempt, event.data))
            for event in store.events_after(job_id, last)
        ]
        if lines:
            file.write(b"".join(lines))
            file.flush()
            os.fsync(file.fileno())
            last = int(json.loads(lines[-1])["seq"])
            store.forget_events(job_id, last)
        return last


def journal_if_possible(store: Store, run: RunDirectory, job_id: str) -> int:
    """``journal``; where the volume cannot be written now, the events stay in the stream until it can be."""
    try:
        return journal(store, run, job_id)
    except OSError as error:
        if not is_volume_fault(error):
            raise
        return last_event(run)


def last_event(run: RunDirectory) -> int:
    """Number of the last event on the volume; 0 where there is none."""
    return end_of(run)[1]


def end_of(run: RunDirectory) -> tuple[int, int]:
    """Offset of the end of the last whole event on the volume, and its number; zeros where there is none."""
    try:
        with run.events.open("rb") as file:
            end, line = _last_line(file)
    except FileNotFoundError:
        return 0, 0
    return end, _seq_of(line)


def events_from(run: RunDirectory, offset: int) -> tuple[list[dict[str, Any]], int]:
    """The events on the volume from byte ``offset`` on, oldest first, and the offset behind them."""
    found = []
    for line in complete_lines(run.events, offset):
        offset = line.end
        if value := line.value():
            found.append(value)
    return found, offset


def read_events(run: RunDirectory, after: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    """Events on the volume with a number greater than ``after``, oldest first."""
    values = (line.value() for line in complete_lines(run.events))
    return list(islice((value for value in values if value and value["seq"] > after), limit))


def _drop_torn_line(file: BinaryIO) -> int:
    """Cut off a last line without its end, which a crash may leave; the last whole one's number."""
    end, line = _last_line(file)
    file.truncate(end)
    return _seq_of(line)


def _last_line(file: BinaryIO) -> tuple[int, bytes]:
    """The last whole line and the offset of its end; (0, b"") where there is none."""
    size = file.seek(0, os.SEEK_END)
    length = _TAIL_BYTES
    while True:
        start = max(0, size - length)
        file.seek(start)
        whole, newline, _torn = file.read(size - start).rpartition(b"\n")
        if newline and (start == 0 or b"\n" in whole):
            return start + len(whole) + 1, whole.rpartition(b"\n")[2]
        if start == 0:
            return 0, b""
        length *= 2


def _seq_of(line: bytes) -> int:
    return int(json.loads(line)["seq"]) if line else 0
