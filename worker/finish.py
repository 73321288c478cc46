"""How an attempt ended, and what that means for the job. Decided here and nowhere else."""

from __future__ import annotations

import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.record import Record
from jobs.recovery.crash import after_crash
from jobs.settings import Settings
from jobs.states import TRANSITIONS, Reason, State
from trainer.files import is_volume_fault, read_json
from trainer.layout import AttemptDirectory, RunDirectory
from worker.limits import Breach

STOPPED_STATUS = 75
"""The trainer's exit status (EX_TEMPFAIL) after it saved and left because it was asked to."""
VOLUME_STATUS = 74
"""The trainer's exit status (EX_IOERR) where the volume is full, read-only or out of reach."""
_FULL_BYTES = 1 << 20
_TAIL_LINES = 12
_TAIL_BYTES = 8192


@dataclass(frozen=True)
class Ending:
    """What was seen of an attempt's end."""

    result: dict[str, Any] | None
    """result.json, where there is one."""
    status: int | None
    """Exit status of the trainer, negative for a signal; None where it never ran."""
    cancelled: bool = False
    """Somebody asked for the job's end."""
    breach: Breach | None = None
    """A limit that was reached."""
    paused: bool = False
    """Somebody asked for a pause."""
    told: bool = False
    """The trainer was told to save and leave, for whatever reason."""
    stopping: bool = False
    """The worker was asked to leave."""
    trouble: OSError | None = None
    """Why the trainer could not be started."""


@dataclass(frozen=True)
class Outcome:
    """Where the job goes, and what its record gains."""

    target: State
    reason: Reason
    detail: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    delay_s: int = 0
    """How long it waits before its next attempt."""


def read_result(run: RunDirectory) -> dict[str, Any] | None:
    """result.json, written by rename as the trainer's last act; None where there is none."""
    try:
        result: dict[str, Any] = read_json(run.result)
    except FileNotFoundError:
        return None
    return result


def decide(record: Record, run: RunDirectory, ending: Ending, settings: Settings) -> Outcome:
    """The outcome of the record's present attempt."""
    match ending:
        case Ending(result=dict(result)) if result["outcome"] == "succeeded":
            reason = _reason(result, State.SUCCEEDED, Reason.COMPLETED)
            return Outcome(State.SUCCEEDED, reason, result["detail"], _gains(record, run, result))
        case Ending(cancelled=True):
            return Outcome(State.CANCELLED, Reason.CANCEL_REQUESTED, fields=_counted(run))
        case Ending(result=dict(result)):
            reason = _reason(result, State.FAILED, Reason.TRAINER_ERROR)
            return Outcome(State.FAILED, reason, result["detail"], _gains(record, run, result))
        case Ending(breach=Breach(reason, detail)) if reason is Reason.STALLED:
            return _crash(record, run, reason, detail, settings)
        case Ending(breach=Breach(reason, detail)):
            return Outcome(State.FAILED, reason, detail, _counted(run))
        case Ending(paused=True):
            return Outcome(State.PAUSED, Reason.PAUSE_REQUESTED, fields=_counted(run))
        case Ending(stopping=False, told=True):
            return Outcome(State.QUEUED, Reason.RESUMED)
        case Ending(status=status, stopping=stopping) if stopping or status == STOPPED_STATUS:
            return Outcome(State.QUEUED, Reason.WORKER_STOPPED)
        case _:
            detail = _obituary(run.attempt(record.attempt), ending)
            return _crash(record, run, _cause(run, ending), detail, settings)


def _crash(record: Record, run: RunDirectory, reason: Reason, detail: str, settings: Settings) -> Outcome:
    verdict = after_crash(record, run, reason, detail, settings)
    fields: dict[str, Any] = {**verdict.fields, **_counted(run)}
    return Outcome(verdict.target, verdict.reason, verdict.detail, fields, verdict.delay_s)


def _is_full(run: RunDirectory) -> bool:
    """Whether the volume has no room: somebody filled it while the trainer was writing, which CNTK may not
    survive, nor tell."""
    return shutil.disk_usage(run.path).free < _FULL_BYTES


def _cause(run: RunDirectory, ending: Ending) -> Reason:
    """Whose fault it is that an attempt ended without a result: the volume's, or its own."""
    of_the_volume = (
        ending.status == VOLUME_STATUS
        or is_volume_fault(ending.trouble)
        or not run.spec.exists()
        or _is_full(run)
    )
    return Reason.VOLUME_UNUSABLE if of_the_volume else Reason.CRASHED


def _reason(result: dict[str, Any], target: State, otherwise: Reason) -> Reason:
    known = next(row.reasons for row in TRANSITIONS if (row.source, row.target) == (State.RUNNING, target))
    return next((reason for reason in known if reason == result["reason"]), otherwise)


def _counted(run: RunDirectory) -> dict[str, Any]:
    return {"checkpoints": len(run.published_checkpoints())}


def _gains(record: Record, run: RunDirectory, result: dict[str, Any]) -> dict[str, Any]:
    elsewhere = {"outcome", "reason", "detail", "losses", "metrics"}
    return {
        "result": {name: value for name, value in result.items() if name not in elsewhere},
        "losses": {**record.losses, **result["losses"]},
        "metrics": {**record.metrics, **result["metrics"]},
        **_counted(run),
    }


def _obituary(attempt: AttemptDirectory, ending: Ending) -> str:
    """How the trainer died, and its last words."""
    if ending.status is None:
        return f"the trainer cannot be started: {ending.trouble}"
    if ending.status < 0:
        how = f"the trainer was killed by {signal.Signals(-ending.status).name}"
    else:
        how = f"the trainer ended with status {ending.status} and no result"
    words = _last_words(attempt.stderr)
    return f"{how}: {words}" if words else how


def _last_words(path: Path) -> str:
    """The last lines of a log; of CNTK's messages only what comes before its C++ call stack."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            text = log.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = text.split("[CALL STACK]")[0].strip().splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
