"""What it means for a job that an attempt ended without a result: another attempt, or the end.

The cause decides. What the job did itself counts towards ``crash_limit``; what was done to it, the
loss of its worker, towards the far higher ``lost_limit``, which is there for a job that brings down
whatever machine it runs on. A volume that cannot be used says nothing of the job: it only waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.record import Record
from jobs.settings import Settings
from jobs.states import Reason, State
from trainer.layout import RunDirectory

MOST_SECONDS = 60
"""However often it went wrong, a job does not wait longer than this for its next attempt."""


@dataclass(frozen=True)
class Verdict:
    """Where a job goes, how long it waits there, and the record's new counts."""

    target: State
    reason: Reason
    detail: str
    fields: dict[str, int]
    delay_s: int = 0


def after_crash(
    record: Record, run: RunDirectory, reason: Reason, detail: str, settings: Settings
) -> Verdict:
    """Queued again for ``reason``, or failed where too many attempts in a row made no progress.

    Progress is a checkpoint on the volume beyond the newest one at the end before: a long job on a
    shaky machine comes to its end, a job that cannot get anywhere does not go on. The first attempt
    without progress is followed by another at once, the next ones after longer and longer pauses.
    """
    newest = max(run.published_checkpoints(), default=0)
    progress = newest > record.crash_samples
    crashes, losses = (0, 0) if progress else (record.crashes, record.losses_in_a_row)
    if reason in (Reason.CRASHED, Reason.STALLED):
        crashes += not progress
    else:
        losses += not progress
    fields = {"crashes": crashes, "losses_in_a_row": losses, "crash_samples": newest}
    if crashes >= settings.crash_limit:
        detail = f"{crashes} attempts in a row ended without a new checkpoint; the last one: {detail}"
        return Verdict(State.FAILED, Reason.CRASHED, detail, fields)
    if reason is Reason.WORKER_LOST and losses >= settings.lost_limit:
        detail = f"{losses} workers in a row were lost without a new checkpoint; the last one: {detail}"
        return Verdict(State.FAILED, Reason.CRASHED, detail, fields)
    return Verdict(State.QUEUED, reason, detail, fields, backoff_s(crashes + losses))


def backoff_s(times: int) -> int:
    """Seconds to wait after so many attempts in a row without progress: 0, 0, 1, 2, 4, … 60."""
    return 0 if times < 2 else int(min(2 ** (times - 2), MOST_SECONDS))
