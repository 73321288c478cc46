"""Redis made anew from the volume: records, indexes, keys; and what had not come to its end goes on.

Any process may do this at any time, and twice: a job that has a record is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from jobs import imports
from jobs.connection import reaching_redis
from jobs.idempotency import KEEP_SECONDS, Claim
from jobs.ids import is_job_id, made_at_ms
from jobs.journal import read_events
from jobs.queue import TokenQueue
from jobs.record import Kind, Record, StartedFrom
from jobs.recovery.history import History, fold, relayed
from jobs.schedule import placing, record_fields
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store, reported_names
from jobs.volume import require_volume
from jobs.writing import compact_bytes, write_new
from trainer.files import read_json
from trainer.layout import RunDirectory

if TYPE_CHECKING:
    from jobs.webhooks.undelivered import Undelivered

_DONE = "cj:rescanned"
"""Absent where Redis came back without its data."""
_BATCH = 500
_EVERYTHING = 10**12

log = logging.getLogger(__name__)


class Rescan(BaseModel):
    """What a rescan found on the volume."""

    known: int = 0
    """Jobs that have a record; nothing was done about them."""
    restored: int = 0
    """Jobs whose record was made anew."""
    queued: int = 0
    """Of those, jobs that had not come to their end: they go on."""
    interrupted: int = 0
    """Run directories of submissions that were never answered."""
    unreadable: list[str] = []
    """Run directories of which no record can be made; the log says why."""


@dataclass(frozen=True)
class Accepted:
    """``accepted.json``: the submission was taken, when, from whom, and under which key."""

    created_at: int
    claim: Claim | None
    owner: str | None
    sweep: str | None = None
    traceparent: str | None = None


def note_accepted(run: RunDirectory, record: Record, claim: Claim | None) -> None:
    """Leave on the volume that a job was accepted. Its record and its key are in Redis by now."""
    key = claim.document() if claim else None
    told = {"created_at": record.created_at, "owner": record.owner, "sweep": record.sweep}
    contents = compact_bytes({**told, "traceparent": record.traceparent, "claim": key})
    # No fsync: like Redis, this need survive the death of every process, not a power cut.
    aside = run.path / ".accepted"
    write_new(aside, contents)
    aside.rename(run.accepted)


def rescan_if_lost(store: Store, queue: TokenQueue, settings: Settings) -> Rescan | None:
    """Rescan where Redis has lost what it knew; None where it has not."""
    with reaching_redis():
        if store.client.exists(_DONE):
            return None
    return rescan(store, queue, settings)


def rescan(store: Store, queue: TokenQueue, settings: Settings) -> Rescan:
    """Make a record for each job on the volume that has none, and queue those that are unfinished.

    Raises Unavailable where Redis goes away or the volume is; the next one takes it up.
    """
    # Rescans are rare; what they need of webhooks brings the models of specs, and a worker starts without.
    from jobs.webhooks.undelivered import Undelivered

    require_volume(settings.volume)
    found = Rescan()
    now = store.now_ms()
    undelivered = Undelivered(store, settings.volume)
    names = _job_ids(settings)
    while batch := list(islice(names, _BATCH)):
        with reaching_redis(), store.client.pipeline(transaction=False) as pipe:
            for job_id in batch:
                pipe.exists(f"cj:job:{job_id}")
            known = pipe.execute()
        for job_id, has_record in zip(batch, known, strict=True):
            if has_record:
                found.known += 1
            else:
                _look(settings.volume.job(job_id), store, queue, found, now, undelivered)
    imports.requeue(store, queue, settings.volume)
    with reaching_redis():
        store.client.set(_DONE, 1)
    if found.restored:
        log.warning("Redis had lost %d jobs: made anew from the volume", found.restored)
    return found


def _job_ids(settings: Settings) -> Iterator[str]:
    folder = settings.volume.jobs
    names = (entry.name for entry in folder.iterdir()) if folder.is_dir() else ()
    return (name for name in names if is_job_id(name))


def _look(
    run: RunDirectory, store: Store, queue: TokenQueue, found: Rescan, now: int, undelivered: Undelivered
) -> None:
    """One run directory without a record."""
    if not (run.accepted.is_file() or run.events.is_file() or run.attempts.is_dir()):
        found.interrupted += 1
        return
    try:
        events = read_events(run, limit=_EVERYTHING)
        history = fold(events)
        record = _record(run, history, relayed(run, events))
        accepted = _accepted(run)
    except (OSError, ValueError, KeyError) as error:
        log.warning("no record can be made of %s: %s", run.path, error)
        found.unreadable.append(run.path.name)
        return
    if not _restore(run, store, record, history, accepted, now):
        found.known += 1
        return
    found.restored += 1
    undelivered.restore(record, events)
    if record.state is not State.QUEUED:
        return
    # What was asked for last, and had been answered, is honoured.
    if history.cancel_asked:
        store.request_cancel(record.id)
    elif history.pause_asked:
        store.request_pause(record.id)
    else:
        found.queued += 1
        queue.push(record.id, record.worker_class)


def _restore(
    run: RunDirectory, store: Store, record: Record, history: History, accepted: Accepted | None, now: int
) -> bool:
    ask: dict[str, Any] = {
        "id": record.id,
        "state": record.state.value,
        "fields": record.to_hash(),
        "names": reported_names(record.model_dump(include={"losses", "metrics"})),
        "announce": record.state is State.QUEUED,
        "floor": history.seq,
        **({} if history.ended else placing(read_json(run.spec))),
    }
    if accepted and accepted.claim:
        left = accepted.created_at + KEEP_SECONDS * 1000 - now
        if left > 0:
            ask["claim"] = {**accepted.claim.document(), "keep_ms": left}
    with reaching_redis():
        return bool(store.run("restore", ask))


def _accepted(run: RunDirectory) -> Accepted | None:
    if not run.accepted.is_file():
        return None
    document = read_json(run.accepted)
    claim = Claim(**document["claim"]) if document["claim"] else None
    told = (document.get(name) for name in ("owner", "sweep", "traceparent"))
    return Accepted(document["created_at"], claim, *told)


def _record(run: RunDirectory, history: History, facts: tuple[int, int]) -> Record:
    """The record of a job as the volume tells it; queued where it had not come to its end."""
    spec: dict[str, Any] = read_json(run.spec)
    published = run.published_checkpoints()
    attempts = (int(entry.name) for entry in run.attempts.glob("*") if entry.name.isdigit())
    keeps = history.ended or history.state is State.PAUSED
    accepted = _accepted(run)
    created = accepted.created_at if accepted else made_at_ms(run.path.name)
    spec |= history.edited
    known: dict[str, Any] = {
        "id": run.path.name,
        "kind": Kind.EVALUATION if spec.get("evaluation") else Kind.TRAINING,
        "name": spec["name"],
        "owner": accepted.owner if accepted else None,
        "sweep": accepted.sweep if accepted else None,
        "traceparent": accepted.traceparent if accepted else None,
        "state": history.state if keeps else State.QUEUED,
        "reason": Reason(history.reason) if keeps else Reason.RECOVERED,
        "detail": history.detail if keeps else "",
        "attempt": max(attempts, default=0),
        "seq": history.seq,
        "dataset": spec["dataset"],
        "fingerprint": spec["fingerprint"],
        "resumed_from": _resumed_from(run, spec),
        "checkpoints": len(published),
        "crash_samples": max(published, default=0),
        "facts_attempt": facts[0],
        "facts_offset": facts[1],
        **record_fields(spec),
        **_made_of(run),
        "edits": history.edits,
        "losses": history.losses,
        "metrics": history.metrics,
        "created_at": created,
        **history.times,
        **history.spent,
    }
    if history.ended and run.result.is_file():
        result: dict[str, Any] = read_json(run.result)
        elsewhere = {"outcome", "reason", "detail", "losses", "metrics"}
        known["result"] = {name: value for name, value in result.items() if name not in elsewhere}
        known["losses"] |= result["losses"]
        known["metrics"] |= result["metrics"]
    return Record.model_validate(known)


def _made_of(run: RunDirectory) -> dict[str, Any]:
    """The recipe and the job that its spec was made of, if it was."""
    posted = read_json(run.posted) if run.posted.is_file() else {}
    parent = read_json(run.fork)["job"] if run.fork.is_file() else None
    return {"recipe": posted["recipe"]["type"] if posted else None, "forked_from": parent}


def _resumed_from(run: RunDirectory, spec: Mapping[str, Any]) -> StartedFrom | None:
    start = spec["start_from"]
    if start is None:
        return None
    manifest = read_json(run.start.manifest) if run.start.manifest.is_file() else {}
    counts = {name: manifest.get(name) for name in ("step", "samples", "epoch")}
    return StartedFrom(job=start["job"], checkpoint=str(start["checkpoint"]), mode=start["mode"], **counts)
