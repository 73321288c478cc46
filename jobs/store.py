"""The jobs in Redis: every change is one script that guards it, indexes it and records it.

Keys: ``cj:job:<id>`` hash; ``cj:jobs`` and ``cj:jobs:<state>`` sorted sets by id, and the same
of each kind of job, ``cj:jobs:<kind>`` and ``cj:jobs:<kind>:<state>``;
``cj:waiting`` queued jobs by the time of their token and ``cj:ready`` by their turn, with
``:<class>`` for those that require labels of a worker, ``cj:classes`` which; ``cj:order`` all of them by
their turn; ``cj:needs:<id>`` the jobs that one waits for, ``cj:after:<id>`` those that wait for one,
``cj:settled`` the ended ones of which those do not know yet; ``cj:delayed`` those that must wait before
their next attempt, by its time; ``cj:overdue`` those that may wait for so long only, by when that
is over; ``cj:leases`` running jobs by the
end of their lease; ``cj:events:<id>`` stream of durable events, until the volume has them;
``cj:feed`` and ``cj:progress`` the newest events and figures of all jobs (jobs/feed.py);
``cj:unjournaled`` ended jobs whose stream must still be copied; ``cj:dataset:<id>:live``
jobs that need a data set; ``cj:dataset:<id>:deleting`` while it is being deleted, ``:deletions`` names
its last deletion;
``cj:owner:<name>:<queued|paused|running>`` an owner's jobs in these states, and of the queued ones by
their turn ``:ready`` those that workers look at, ``:held`` those that its quota keeps from them, the last two
with ``:<class>`` as above; ``cj:quotas`` the quotas (jobs/access/quotas.py); ``cj:bytes`` what
ended jobs take on the volume (jobs/queries/usage.py);
``cj:datasets`` and ``cj:models`` what the volume has of them (jobs/shelf.py);
``cj:imports`` models that are to be imported (jobs/imports.py);
``cj:by:<dataset|owner|parent|recipe|tag>:<value>`` sorted sets by id like ``cj:jobs``;
``cj:names:<losses|metrics>`` every name that was reported (jobs/queries/search.py);
``cj:totals`` counts of what has happened to all jobs (jobs/totals.py);
``cj:wake:<id>`` channel that wakes whoever runs the job; ``cj:key:<digest>`` what a key of
a request's stands for (jobs/idempotency.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

from jobs.backlog import Backlog
from jobs.connection import connect, reaching_redis
from jobs.errors import Conflict, NotFound, PreconditionFailed, Refused
from jobs.queueing import Queueing
from jobs.record import Kind, Record, hash_fields
from jobs.scripts import pairs
from jobs.settings import Settings
from jobs.states import TERMINAL, Reason, State, allowed
from jobs.streams import Streams
from jobs.totals import Work


class Hold(StrEnum):
    """What a renewal of a lease found."""

    HELD = "held"
    CANCEL = "cancel"
    """Held, and somebody has asked for the job's end."""
    CANCEL_SAVING = "cancel_saving"
    """The same, but a checkpoint may be saved first."""
    PAUSE = "pause"
    """Held, and somebody has asked for a pause."""
    LOST = "lost"
    """Not one's attempt any more: its trainer must go at once."""


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first, and the id to continue after (None at the end)."""

    records: list[Record]
    next_after: str | None


class Store(Queueing, Backlog, Streams):
    """All reads and changes of records. Raises Unavailable where Redis cannot be reached."""

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """A store on the settings' server. Connects with the first command, not here."""
        return cls(connect(settings.effective_redis_url))

    def get(self, job_id: str) -> Record:
        """The record; NotFound where there is none."""
        with reaching_redis():
            fields = cast(dict[str, str], self.client.hgetall(f"cj:job:{job_id}"))
        if not fields:
            raise NotFound(f"there is no job {job_id!r}")
        return Record.from_hash(fields)

    def page(
        self,
        *,
        status: State | None = None,
        kind: Kind | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Jobs, newest first: those older than ``after``, at most ``limit``.

        The cursor is an id, so a page does not move when newer jobs arrive or others end.
        """
        index = ":".join(["cj:jobs", *(part.value for part in (kind, status) if part)])
        with reaching_redis():
            top = f"({after}" if after else "+"
            ids = cast(list[str], self.client.zrevrangebylex(index, top, "-", start=0, num=limit + 1))
            records = self.many(ids[:limit])
        return Page(records, ids[limit - 1] if len(ids) > limit else None)

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with reaching_redis(), self.client.pipeline(transaction=False) as pipe:
            for state in State:
                pipe.zcard(f"cj:jobs:{state.value}")
            return dict(zip(State, pipe.execute(), strict=True))

    def claim(
        self,
        job_id: str,
        *,
        worker: str,
        lease_seconds: float,
        last_attempt: int = 0,
        floor: int = 0,
        token: str | None = None,
    ) -> Record | None:
        """queued -> running as the next attempt; None where the job does not wait for a worker.

        ``last_attempt`` and ``floor`` are the highest attempt and event on the volume, ``token`` the
        job whose token was taken for this one.
        """
        return self.change(
            "claim",
            id=job_id,
            worker=worker,
            lease_ms=round(lease_seconds * 1000),
            last_attempt=last_attempt,
            floor=floor,
            **({"token": token} if token else {}),
        )

    def renew(self, job_id: str, attempt: int, lease_seconds: float) -> Hold:
        """Extend the lease of one's own attempt, and learn whether to go on."""
        ask = {"id": job_id, "attempt": attempt, "lease_ms": round(lease_seconds * 1000)}
        with reaching_redis():
            return Hold(self.run("renew", ask))

    def report(
        self,
        job_id: str,
        attempt: int,
        *,
        events: Sequence[tuple[int, int, Mapping[str, Any]]] = (),
        fields: Mapping[str, Any] | None = None,
        training: bool = False,
        floor: int = 0,
        work: Work | None = None,
        behind: tuple[int, int] | None = None,
    ) -> Record:
        """Add durable events (time in ms, attempt, data) and new values to one's own attempt.

        ``training``: the first minibatch is among them. ``work``: what is added to the totals of all
        jobs. ``behind``: attempt and offset where the trainer's facts were read on from; where the record
        is further on, it comes back as it is: this was reported before, and only the answer was lost.
        Raises Refused where the attempt is not the caller's any more.
        """
        changed = self.change(
            "report",
            id=job_id,
            attempt=attempt,
            events=[
                {"time": time, "attempt": number, "data": json.dumps(data, allow_nan=False)}
                for time, number, data in events
            ],
            fields=hash_fields(fields or {}),
            names=reported_names(fields or {}),
            training=training,
            floor=floor,
            **({"work": asdict(work)} if work else {}),
            **({"behind": {"attempt": behind[0], "offset": behind[1]}} if behind else {}),
        )
        if changed is None:
            raise Refused(f"attempt {attempt} of {job_id} is not running any more")
        return changed

    def transition(
        self,
        record: Record,
        target: State,
        reason: Reason,
        detail: str = "",
        *,
        fields: Mapping[str, Any] | None = None,
        floor: int = 0,
        only_expired: bool = False,
        delay_s: int = 0,
    ) -> Record:
        """Move a job on, if it still is in the record's state and attempt; else Refused.

        A job that would be queued again is cancelled or paused instead where somebody asked for
        that, and one that would be paused is queued where that was called off: look at the state
        of the record that comes back. ``only_expired``: only with its lease run out.
        ``delay_s``: queued, but not to be claimed for so long.
        """
        # Only ``claim`` leads to running: a lease comes with it. Only ``retry`` leads out of failed.
        elsewhere = target is State.RUNNING or record.state is State.FAILED
        if elsewhere or not allowed(record.state, target, reason):
            raise ValueError(f"{record.state} -> {target} ({reason}) is no transition of this method")
        changed = self.change(
            "transition",
            id=record.id,
            **{"from": record.state.value},
            attempt=record.attempt,
            to=target.value,
            reason=reason.value,
            detail=detail,
            fields=hash_fields(fields or {}),
            names=reported_names(fields or {}),
            floor=floor,
            expired=only_expired,
            delay_ms=delay_s * 1000,
        )
        if changed is None:
            raise Refused(f"{record.id} is no longer {record.state} in attempt {record.attempt}")
        return changed

    def edit(
        self,
        job_id: str,
        changes: Sequence[Mapping[str, str]],
        tags: Sequence[str],
        believed: Sequence[int] | None,
    ) -> Record:
        """Change what people may (jobs/edit.py) where the job was edited as often as ``believed`` says.

        NotFound without the job, PreconditionFailed where somebody has edited it since.
        """
        ask = {"id": job_id, "changes": changes, "tags": tags}
        with reaching_redis():
            flat = self.run("edit", ask if believed is None else ask | {"believed": list(believed)})
        if flat == "stale":
            raise PreconditionFailed(f"job {job_id} was edited meanwhile; look at it and ask again")
        if not flat:
            raise NotFound(f"there is no job {job_id!r}")
        return Record.from_hash(pairs(flat))

    def request_cancel(self, job_id: str, *, save: bool = False, reason: Reason | None = None) -> Record:
        """Ask for a job's end, at once or (``save``) after a last checkpoint.

        Asking again changes nothing, but that "at once" wins; Conflict once it ended otherwise.
        ``reason``: why, where it is not that somebody asked.
        """
        why = {"reason": reason.value} if reason else {}
        return self._steer("cancel", job_id, TERMINAL - {State.CANCELLED}, save=save, **why)

    def request_pause(self, job_id: str) -> Record:
        """Ask for a pause. Asking again changes nothing; Conflict once the job has ended."""
        return self._steer("pause", job_id, TERMINAL)

    def request_resume(self, job_id: str) -> Record:
        """End a pause, or call one off. Asking again changes nothing; Conflict once the job has ended.

        A job that is queued by this has no token yet.
        """
        return self._steer("resume", job_id, TERMINAL)

    def _steer(self, script: str, job_id: str, too_late: Collection[State], **ask: Any) -> Record:
        record = self.change(script, id=job_id, **ask)
        if record is None:
            raise NotFound(f"there is no job {job_id!r}")
        if record.state in too_late:
            raise Conflict(f"job {job_id} has already ended: it {_ENDED[record.state]}")
        return record


def reported_names(fields: Mapping[str, Any]) -> dict[str, list[str]]:
    """The names of the losses and metrics among a record's new values, for those who search by them."""
    found = {
        group: sorted({name for values in fields.get(group, {}).values() for name in values})
        for group in ("losses", "metrics")
    }
    return {group: names for group, names in found.items() if names}


_ENDED = {State.SUCCEEDED: "succeeded", State.FAILED: "failed", State.CANCELLED: "was cancelled"}
