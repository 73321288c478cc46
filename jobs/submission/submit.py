"""Submission: from a spec as posted to a queued job, or to nothing at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from jobs.errors import JobsError
from jobs.idempotency import Claim
from jobs.queueing import BeingDeleted, being_deleted
from jobs.record import Record
from jobs.recovery.rescan import note_accepted
from jobs.settings import Settings
from jobs.store import Store
from jobs.submission.judging import judged
from jobs.submission.new_run import Submission, TrialOf, Written, write
from jobs.volume import require_volume
from jobs.writing import sync_file_system
from trainer.layout import Volume


@dataclass(frozen=True)
class Submitted:
    """A queued job, and its spec as spec.json has it."""

    record: Record
    spec: bytes


def submit(
    document: Mapping[str, Any],
    store: Store,
    settings: Settings,
    claim: Claim | None = None,
    owner: str | None = None,
    trial: TrialOf | None = None,
) -> Record:
    """Check a spec, write its run directory and queue it; the new record.

    ``claim`` is the key of a request that is done once however often it is sent; ``trial`` says which
    sweep's trial the job is.

    Raises InvalidInput with every fault, NotFound without the data set, Conflict where the
    checkpoint to start from does not fit or is broken, Unavailable while Redis is away.
    Whatever is raised, nothing is left behind.
    """
    prepared = replace(prepare(document, store, settings, claim, owner), trial=trial)
    return enqueue(prepared, store, settings.volume).record


def prepare(
    document: Mapping[str, Any], store: Store, settings: Settings, claim: Claim | None, owner: str | None
) -> Submission:
    """What ``submit`` checks before it writes anything."""
    require_volume(settings.volume)
    spec, start = judged(document, store, settings)
    posted = document if document.get("recipe") is not None else None
    return Submission(spec, start, claim=claim, posted=posted, owner=owner)


def enqueue(submission: Submission, store: Store, volume: Volume) -> Submitted:
    """Queue one job, and have it on the volume's disk; what is wrong with it is raised."""
    (found,) = enqueue_all([submission], store, volume)
    if isinstance(found, Exception):
        raise found
    sync_file_system(volume.path)
    return found


def enqueue_all(
    submissions: Sequence[Submission], store: Store, volume: Volume
) -> list[Submitted | Exception]:
    """Queue jobs together: of each the record, or why it was not queued and has left nothing behind.

    Raises Unavailable where Redis cannot be reached: then none is.
    """
    found = _enqueue_all(submissions, store, volume)
    # Of these what was known of deletions may have been old.
    refused = [place for place, outcome in enumerate(found) if isinstance(outcome, BeingDeleted)]
    if refused:
        again = _enqueue_all([submissions[place] for place in refused], store, volume, afresh=True)
        for place, outcome in zip(refused, again, strict=True):
            found[place] = outcome
    return found


def _enqueue_all(
    submissions: Sequence[Submission], store: Store, volume: Volume, *, afresh: bool = False
) -> list[Submitted | Exception]:
    # Most refusals for want of Redis cost no write to the volume then.
    deletions = store.deletions({submission.spec.dataset for submission in submissions}, afresh=afresh)
    found: dict[int, Submitted | Exception] = {}
    written: dict[int, Written] = {}
    try:
        for place, submission in enumerate(submissions):
            try:
                if deletions[submission.spec.dataset] is None:
                    raise being_deleted(submission.spec.dataset)
                written[place] = write(submission, volume)
            except Exception as error:
                found[place] = error
        if written:
            jobs = [entry.new for entry in written.values()]
            made = store.create_all(jobs, deletions)
            for (place, entry), record in zip(written.items(), made, strict=True):
                if isinstance(record, JobsError):
                    found[place] = record
                    continue
                found[place] = Submitted(record, entry.spec)
                # The job is queued, whatever becomes of this: only a loss of Redis would ask for it.
                with suppress(OSError):
                    note_accepted(entry.run, record, submissions[place].claim)
    finally:
        for place, entry in written.items():
            if not isinstance(found.get(place), Submitted):
                shutil.rmtree(entry.run.path, ignore_errors=True)
    return [found[place] for place in range(len(submissions))]


def enqueue_together(
    submissions: Sequence[Submission],
    store: Store,
    volume: Volume,
    claim: Claim | None = None,
) -> list[Record]:
    """Queue jobs, all of them or none: whatever is raised, nothing is left behind."""
    try:
        return _enqueue_together(submissions, store, volume, claim)
    except BeingDeleted:
        # What was known of deletions may have been old.
        return _enqueue_together(submissions, store, volume, claim, afresh=True)


def _enqueue_together(
    submissions: Sequence[Submission],
    store: Store,
    volume: Volume,
    claim: Claim | None,
    *,
    afresh: bool = False,
) -> list[Record]:
    deletions = store.deletions({submission.spec.dataset for submission in submissions}, afresh=afresh)
    for dataset, count in deletions.items():
        if count is None:
            raise being_deleted(dataset)
    written: list[Written] = []
    try:
        for submission in submissions:
            written.append(write(submission, volume))
        jobs = [entry.new for entry in written]
        key = claim.document() if claim else None
        made = store.create_together(jobs, deletions, key)
    except BaseException:
        for entry in written:
            shutil.rmtree(entry.run.path, ignore_errors=True)
        raise
    with suppress(OSError):
        for entry, record in zip(written, made, strict=True):
            note_accepted(entry.run, record, None)
    sync_file_system(volume.path)
    return made
