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
with ``:<class>`` as above; ``cj:quotas`` the quotas (jobs/quotas.py); ``cj:bytes`` what
ended jobs take on the volume (jobs/usage.py);
``cj:datasets`` and ``cj:models`` what the volume has of them (jobs/shelf.py);
``cj:imports`` models that are to be imported (jobs/imports.py);
``cj:by:<dataset|owner|parent|recipe|tag>:<value>`` sorted sets by id like ``cj:jobs``;
``cj:names:<losses|metrics>`` every name that was reported (jobs/search.py);
``cj:totals`` counts of what has happened to all jobs (jobs/totals.py);
``cj:wake:<id>`` channel that wakes whoever runs the job; ``cj:key:<digest>`` what a key of
a request's stands for (jobs/idempotency.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

from redis import WatchError
from redis.client import Pipeline

from jobs.backlog import Backlog
from jobs.connection import connect, reaching_redis
from jobs.errors import Conflict, JobsError, NotFound, PreconditionFailed
from jobs.ids import new_id
from jobs.quotas import queue_is_full
from jobs.record import Kind, Record, hash_fields
from jobs.scripts import pairs
from jobs.settings import Settings
from jobs.states import TERMINAL, Reason, State, allowed
from jobs.streams import Streams
from jobs.totals import Work

_DELETION_SECONDS = 60
"""A deletion that died half-way stops blocking submissions after this long."""

_NAMED_SECONDS = 24 * 60 * 60
"""No submission takes as long."""

_REMEMBERED_SECONDS = 1.0
"""For so long submissions go by what another was told of deletions. Short, so that where Redis has gone
away they hear of it before they write anything."""


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


class Refused(JobsError):
    """A guarded change found the job in another state or attempt than the caller believed."""

    type = "refused"


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first, and the id to continue after (None at the end)."""

    records: list[Record]
    next_after: str | None


@dataclass(frozen=True)
class New:
    """A job to be queued."""

    record: Record
    placing: Mapping[str, Any]
    """What jobs/schedule.py says of it."""
    token: Mapping[str, Any] | None = None
    """As jobs/queue.py describes it."""
    claim: Mapping[str, Any] | None = None
    """The key (jobs/idempotency.py) that stands for the job from then on."""


class Store(Backlog, Streams):
    """All reads and changes of records. Raises Unavailable where Redis cannot be reached."""

    _remembered: tuple[float, dict[str, str | None]] = (-_REMEMBERED_SECONDS, {})
    """When ``deletions`` began to ask, and what it was told since."""

    @classmethod
    def open(cls, settings: Settings) -> Store:
        """A store on the settings' server. Connects with the first command, not here."""
        return cls(connect(settings.effective_redis_url))

    # Reading

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

    def live_jobs(self, dataset_id: str) -> list[str]:
        """Ids of the jobs that are not at their end and need this data set."""
        with reaching_redis():
            return sorted(cast(set[str], self.client.smembers(f"cj:dataset:{dataset_id}:live")))

    # Submitting, and deleting a data set meanwhile

    def deletions(self, datasets: Collection[str], *, afresh: bool = False) -> dict[str, str | None]:
        """The last deletion of each data set, for ``create_all``; None while it is being deleted.

        Unless ``afresh`` what was told a moment ago will do: a deletion since then is found by
        ``create_all``. So ask afresh where that refuses, or where None comes back.
        """
        now = time.monotonic()
        asked, told = self._remembered
        if afresh or now - asked > _REMEMBERED_SECONDS:
            asked, told = now, {}
        lacking = [name for name in datasets if name not in told]
        if lacking:
            keys = [f"cj:dataset:{name}:{key}" for name in lacking for key in ("deletions", "deleting")]
            with reaching_redis():
                found = cast(list[str | None], self.client.mget(keys))
            named = zip(lacking, found[::2], found[1::2], strict=True)
            # Not changed in place: threads share it.
            told = told | {name: None if deleting else last or "" for name, last, deleting in named}
            self._remembered = asked, told
        return {name: told[name] for name in datasets}

    def create_all(
        self, jobs: Sequence[New], deletions: Mapping[str, str | None]
    ) -> list[Record | JobsError]:
        """Write new queued records, their first events and their tokens in one step.

        Of each the record, or why there is none: its data set was deleted since ``deletions`` were
        read, so of a submission and a deletion at the same time only one wins; or the request has
        lost its key.
        """
        asks = [_to_create(job, deletions) for job in jobs]
        with reaching_redis():
            answers = self.run("create", {"jobs": asks})
        return [_refusal(told) or _made(job, told) for job, told in zip(jobs, answers, strict=True)]

    def create_together(
        self,
        jobs: Sequence[New],
        deletions: Mapping[str, str | None],
        claim: Mapping[str, Any] | None = None,
    ) -> list[Record]:
        """``create_all``, but all of them or none: then what speaks against one is raised.

        ``claim`` is the key that stands for all of them from then on.
        """
        ask: dict[str, Any] = {"jobs": [_to_create(job, deletions) for job in jobs], "together": True}
        if claim:
            ask |= {"claim": claim, "made": " ".join(job.record.id for job in jobs)}
        with reaching_redis():
            answers = self.run("create", ask)
        if (refusal := _refusal(answers)) is not None:
            raise refusal
        return [_made(job, told) for job, told in zip(jobs, answers, strict=True)]

    def create(
        self,
        record: Record,
        *,
        check: Callable[[], None],
        token: Mapping[str, Any] | None = None,
        claim: Mapping[str, Any] | None = None,
        placing: Mapping[str, Any] | None = None,
    ) -> Record:
        """``create_all`` of one; ``check`` raises where its data set is gone."""
        deletions = self.deletions([record.dataset], afresh=True)
        if deletions[record.dataset] is None:
            raise being_deleted(record.dataset)
        check()
        made = self.create_all([New(record, placing or {}, token, claim)], deletions)[0]
        if isinstance(made, JobsError):
            raise made
        return made

    def retry(
        self,
        record: Record,
        detail: str,
        *,
        fields: Mapping[str, Any],
        check: Callable[[], None],
        push_token: Callable[[Pipeline], None],
        after: Sequence[Mapping[str, Any]] = (),
    ) -> Record:
        """failed -> queued, with a token, if the job still is in the record's attempt; else Refused.

        ``check`` as for ``create``: the data set is needed again.
        """
        ask = {"id": record.id, "attempt": record.attempt, "detail": detail, "fields": hash_fields(fields)}
        ask["after"] = list(after)
        queued = self._queue("retry", ask, record.dataset, check, push_token)
        if queued is None:
            raise Refused(f"{record.id} is no longer failed in attempt {record.attempt}")
        return queued

    def _queue(
        self,
        script: str,
        ask: Mapping[str, Any],
        dataset: str,
        check: Callable[[], None],
        push_token: Callable[[Pipeline], None],
    ) -> Record | None:
        """A script that has a job need a data set, and the job's token, in one MULTI."""
        deleting = f"cj:dataset:{dataset}:deleting"
        with reaching_redis(), self.client.pipeline() as pipe:
            pipe.watch(deleting)  # type: ignore[no-untyped-call]  # redis leaves it untyped
            if pipe.exists(deleting):
                raise being_deleted(dataset)
            check()
            push_token(pipe)
            self.run(script, ask, pipe)
            try:
                flat = pipe.execute()[-1]
            except WatchError:
                raise being_deleted(dataset) from None
        if flat and flat[0] == "over":
            raise queue_is_full(int(flat[1]), int(flat[2]))
        return Record.from_hash(pairs(flat)) if flat else None

    @contextmanager
    def deleting_dataset(self, dataset_id: str) -> Iterator[None]:
        """Hold off submissions while the caller removes a data set; Conflict while jobs need it."""
        live, deleting = f"cj:dataset:{dataset_id}:live", f"cj:dataset:{dataset_id}:deleting"
        with reaching_redis(), self.client.pipeline() as pipe:
            pipe.watch(live)  # type: ignore[no-untyped-call]
            jobs = sorted(cast(set[str], pipe.smembers(live)))
            if jobs:
                raise self._in_use(dataset_id, jobs)
            pipe.multi()
            pipe.set(deleting, 1, ex=_DELETION_SECONDS)
            pipe.set(f"cj:dataset:{dataset_id}:deletions", new_id("deletion"), ex=_NAMED_SECONDS)
            try:
                pipe.execute()
            except WatchError:
                raise self._in_use(dataset_id, self.live_jobs(dataset_id)) from None
        try:
            yield
        finally:
            with reaching_redis():
                self.client.delete(deleting)

    @staticmethod
    def _in_use(dataset_id: str, jobs: list[str]) -> Conflict:
        return Conflict(
            f"data set {dataset_id!r} is needed by {len(jobs)} job(s) that have not ended",
            extra={"jobs": jobs},
        )

    # Changing

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
    ) -> Record:
        """Add durable events (time in ms, attempt, data) and new values to one's own attempt.

        ``training``: the first minibatch is among them. ``work``: what is added to the totals of all
        jobs. Raises Refused where the attempt is not the caller's any more.
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


_KEY_LOST = "another request has taken this one's Idempotency-Key meanwhile"


def _refusal(answer: Sequence[Any]) -> JobsError | None:
    """Why create.lua has made no job; None where it has."""
    if not answer:
        return Conflict(_KEY_LOST)
    if answer[0] == "deleting":
        return being_deleted(answer[1])
    if answer[0] == "over":
        return queue_is_full(int(answer[1]), int(answer[2]))
    return None


def _made(job: New, told: Sequence[str]) -> Record:
    """A record as create.lua left it, which has told when that was."""
    now, seq = int(told[1]), int(told[2])
    times = dict.fromkeys(("created_at", "updated_at", "phase_at"), now)
    return job.record.model_copy(update={**times, "seq": seq})


def _to_create(job: New, deletions: Mapping[str, str | None]) -> dict[str, Any]:
    """A job as the script that makes it wants it."""
    described = {"id": job.record.id, "fields": job.record.to_hash(), **job.placing}
    more = {"token": job.token, "claim": job.claim}
    return described | {
        "deletions": deletions[job.record.dataset],
        **{name: value for name, value in more.items() if value is not None},
    }


class BeingDeleted(Conflict):
    """No job can be made that needs a data set."""


def being_deleted(dataset_id: str) -> BeingDeleted:
    return BeingDeleted(f"data set {dataset_id!r} is being deleted")


_ENDED = {State.SUCCEEDED: "succeeded", State.FAILED: "failed", State.CANCELLED: "was cancelled"}
