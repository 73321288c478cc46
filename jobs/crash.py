"""What a crashed attempt means for its job: another attempt, or the end."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.record import Record
from jobs.states import Reason, State
from trainer.layout import RunDirectory


@dataclass(frozen=True)
class Verdict:
    """Where a job goes after a crash, and the record's new count."""

    target: State
    reason: Reason
    detail: str
    fields: dict[str, int]


def after_crash(record: Record, run: RunDirectory, reason: Reason, detail: str, limit: int) -> Verdict:
    """Queued again for ``reason``, or failed at the ``limit``-th crash in a row without progress.

    Progress is a checkpoint on the volume beyond the newest one at the crash before: a long
    job on a shaky machine comes to its end, a job that cannot get anywhere does not go on.
    """
    newest = max(run.published_checkpoints(), default=0)
    crashes = 0 if newest > record.crash_samples else record.crashes + 1
    fields = {"crashes": crashes, "crash_samples": newest}
    if crashes < limit:
        return Verdict(State.QUEUED, reason, detail, fields)
    detail = f"{crashes} attempts in a row ended without a new checkpoint; the last one: {detail}"
    return Verdict(State.FAILED, Reason.CRASHED, detail, fields)
