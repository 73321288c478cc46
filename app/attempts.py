"""A job's attempts, folded from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.resources.attempts import Attempt
from jobs.events import EventType
from jobs.states import TERMINAL
from trainer.layout import RunDirectory

ENDS = {EventType.QUEUED.value, EventType.PAUSED.value, *(state.value for state in TERMINAL)}


def attempts_of(events: Iterable[Mapping[str, Any]], run: RunDirectory) -> list[Attempt]:
    """Every attempt that a worker claimed, oldest first; the outcome is null while one runs.

    ``queued`` as outcome: the attempt ended without a result and another one follows.
    """
    found: dict[int, Attempt] = {}
    for event in events:
        number = event["attempt"]
        if event["type"] == EventType.RUNNING:
            directory = run.attempt(number)
            found[number] = Attempt(
                attempt=number,
                started_at=event["time"],
                stdout_bytes=_size(directory.stdout),
                stderr_bytes=_size(directory.stderr),
            )
        elif event["type"] in ENDS and number in found:
            ended = {"ended_at": event["time"], "outcome": event["type"]}
            said = {"reason": event["reason"], "detail": event["detail"]}
            found[number] = found[number].model_copy(update=ended | said)
    return list(found.values())


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
