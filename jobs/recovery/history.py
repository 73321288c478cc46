"""What the events on the volume tell of a job: its state, its attempts' times, how far they were relayed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jobs.events import FROM_TRAINER, EventType
from jobs.states import TERMINAL, Reason, State
from trainer.files import complete_lines
from trainer.layout import RunDirectory

EDITABLE = ("name", "tags", "priority")
"""What may be changed of a job, whatever its state."""
_STATES = {state.value for state in State}


@dataclass
class History:
    """A job's events, folded. Times are Unix milliseconds."""

    state: State | None = None
    """The last one that was entered; None where there are no events."""
    reason: str = ""
    detail: str = ""
    seq: int = 0
    cancel_asked: bool = False
    """Of the attempt that was running last, and nothing came of it yet."""
    pause_asked: bool = False
    edited: dict[str, Any] = field(default_factory=dict)
    """The name, tags and priority that somebody gave it after its submission."""
    edits: int = 0
    losses: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    """created_at, started_at, first_minibatch_at, finished_at."""
    spent: dict[str, int] = field(default_factory=dict)
    """queued_ms, starting_ms, training_ms and, at the last retry, forgiven_ms."""

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL


def fold(events: Iterable[Mapping[str, Any]]) -> History:
    """The history of a job from its events, oldest first."""
    found = History()
    phase, since = "", 0
    for event in events:
        now, kind = _ms(event["time"]), event["type"]
        found.seq = event["seq"]
        found.times.setdefault("created_at", now)
        entered = {
            EventType.QUEUED: "queued_ms",
            EventType.RUNNING: "starting_ms",
            EventType.FIRST_MINIBATCH: "training_ms",
        }.get(kind, "")
        if kind in _STATES or entered:
            if phase:
                found.spent[phase] = found.spent.get(phase, 0) + max(0, now - since)
            phase, since = entered, now
        if kind in _STATES:
            _enter(found, event, now)
        match kind:
            case EventType.FIRST_MINIBATCH:
                found.times.setdefault("first_minibatch_at", now)
            case EventType.CANCEL_REQUESTED:
                found.cancel_asked = True
            case EventType.PAUSE_REQUESTED:
                found.pause_asked = True
            case EventType.RESUME_REQUESTED:
                found.pause_asked = False
            case EventType.EDITED:
                found.edits += 1
                found.edited |= {key: event[key] for key in EDITABLE if key in event}
        found.losses.update(event.get("losses", {}))
        found.metrics.update(event.get("metrics", {}))
    return found


def _enter(found: History, event: Mapping[str, Any], now: int) -> None:
    found.state, found.reason, found.detail = State(event["type"]), event["reason"], event["detail"]
    found.cancel_asked = found.pause_asked = False
    found.times.pop("finished_at", None)
    if found.state is State.RUNNING:
        found.times.setdefault("started_at", now)
    elif found.ended:
        found.times["finished_at"] = now
    elif found.reason == Reason.RETRIED:
        spent = found.spent
        spent["forgiven_ms"] = spent.get("starting_ms", 0) + spent.get("training_ms", 0)


def relayed(run: RunDirectory, events: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Up to which byte of which attempt's facts the events were relayed.

    They were relayed in order, so of the first attempt that reported more than the events have, as
    many lines were as there are events.
    """
    last = (0, 0)
    attempts = sorted(int(entry.name) for entry in run.attempts.glob("*") if entry.name.isdigit())
    for attempt in attempts:
        known = sum(event["attempt"] == attempt and event["type"] in FROM_TRAINER for event in events)
        offset = 0
        for line in complete_lines(run.attempt(attempt).facts):
            fact = line.value()
            if fact is not None and fact["type"] in FROM_TRAINER:
                if not known:
                    return attempt, offset
                known -= 1
            offset = line.end
        last = (attempt, offset)
    return last


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
