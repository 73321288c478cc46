"""Jobs that come to wait for a worker, while the data set that they need may be deleted."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from redis import WatchError
from redis.client import Pipeline

from jobs.access.quotas import queue_is_full
from jobs.connection import reaching_redis
from jobs.errors import Conflict, JobsError, Refused
from jobs.ids import new_id
from jobs.record import Record, hash_fields
from jobs.scripts import Scripts, pairs

_DELETION_SECONDS = 60
"""A deletion that died half-way stops blocking submissions after this long."""

_NAMED_SECONDS = 24 * 60 * 60
"""No submission takes as long."""

_REMEMBERED_SECONDS = 1.0
"""For so long submissions go by what another was told of deletions. Short, so that where Redis has gone
away they hear of it before they write anything."""


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


class Queueing(Scripts):
    """New jobs, jobs that are tried again, and deletions: of two that exclude each other only one wins."""

    _remembered: tuple[float, dict[str, str | None]] = (-_REMEMBERED_SECONDS, {})
    """When ``deletions`` began to ask, and what it was told since."""

    def live_jobs(self, dataset_id: str) -> list[str]:
        """Ids of the jobs that are not at their end and need this data set."""
        with reaching_redis():
            return sorted(cast(set[str], self.client.smembers(f"cj:dataset:{dataset_id}:live")))

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

        ``check`` raises where its data set is gone: it is needed again.
        """
        ask = {"id": record.id, "attempt": record.attempt, "detail": detail, "fields": hash_fields(fields)}
        deleting = f"cj:dataset:{record.dataset}:deleting"
        with reaching_redis(), self.client.pipeline() as pipe:
            pipe.watch(deleting)  # type: ignore[no-untyped-call]  # redis leaves it untyped
            if pipe.exists(deleting):
                raise being_deleted(record.dataset)
            check()
            push_token(pipe)
            self.run("retry", ask | {"after": list(after)}, pipe)
            try:
                flat = pipe.execute()[-1]
            except WatchError:
                raise being_deleted(record.dataset) from None
        if not flat:
            raise Refused(f"{record.id} is no longer failed in attempt {record.attempt}")
        if flat[0] == "over":
            raise queue_is_full(int(flat[1]), int(flat[2]))
        return Record.from_hash(pairs(flat))

    @contextmanager
    def deleting_dataset(self, dataset_id: str) -> Iterator[None]:
        """Hold off submissions while the caller removes a data set; Conflict while jobs need it."""
        live, deleting = f"cj:dataset:{dataset_id}:live", f"cj:dataset:{dataset_id}:deleting"
        with reaching_redis(), self.client.pipeline() as pipe:
            pipe.watch(live)  # type: ignore[no-untyped-call]  # redis leaves it untyped
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
