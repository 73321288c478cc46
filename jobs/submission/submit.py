"""Submission: from a spec as posted to a queued job, or to nothing at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from jobs import checkpoints
from jobs.base_models import in_jobs
from jobs.checkpoints import Chosen
from jobs.dataset import load_schema
from jobs.errors import JobsError, NotFound
from jobs.idempotency import Claim
from jobs.ids import new_job_id
from jobs.queue import token_for
from jobs.queueing import BeingDeleted, New, being_deleted
from jobs.record import Kind, Record, StartedFrom
from jobs.recovery.rescan import note_accepted
from jobs.schedule import placing, record_fields
from jobs.settings import Settings
from jobs.specs.normalise import NormalisedSpec
from jobs.states import Reason, State
from jobs.store import Store
from jobs.submission.judging import judged
from jobs.tracing import tracing
from jobs.volume import require_volume
from jobs.writing import document_bytes, sync_file_system, write_new
from trainer.layout import RunDirectory, Volume


@dataclass(frozen=True)
class Parent:
    """The job that another one is a fork of: the patch as posted, and what differs between their specs."""

    job: str
    patch: dict[str, Any]
    diff: list[dict[str, Any]]


@dataclass(frozen=True)
class TrialOf:
    """A job that is a trial of a sweep, which has chosen its id."""

    sweep: str
    job: str


@dataclass(frozen=True)
class Submission:
    """A job that is to be queued: its complete spec, and the checkpoint that it starts from."""

    spec: NormalisedSpec
    start: Chosen | None = None
    kind: Kind = Kind.TRAINING
    fitted_schema: Path | None = None
    """Schema of the data set that the network is trained on, where this is another."""
    claim: Claim | None = None
    """The key of a request that is done once however often it is sent."""
    posted: Mapping[str, Any] | None = None
    """The spec as it was posted, where that named a recipe."""
    parent: Parent | None = None
    """The job whose spec this one was made of."""
    trial: TrialOf | None = None
    owner: str | None = None
    traceparent: str | None = field(default_factory=tracing.traceparent)
    """The span of the request, where requests are traced."""


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
    written: dict[int, _Written] = {}
    try:
        for place, submission in enumerate(submissions):
            try:
                if deletions[submission.spec.dataset] is None:
                    raise being_deleted(submission.spec.dataset)
                written[place] = _write(submission, volume)
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
    written: list[_Written] = []
    try:
        for submission in submissions:
            written.append(_write(submission, volume))
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


@dataclass(frozen=True)
class _Written:
    run: RunDirectory
    new: New
    spec: bytes


def _write(submission: Submission, volume: Volume) -> _Written:
    """The run directory of a job, which is not queued yet. No worker looks at it before the record exists."""
    record, contents = _described(submission)
    run = volume.job(record.id)
    spec = document_bytes(contents)
    # One that is there already is another submission's, and stays.
    run.path.mkdir()
    try:
        _fill(run, submission, contents, spec, volume)
        if submission.fitted_schema is not None:
            # The data set that it runs on is another than the one that the schema is of.
            load_schema(volume, record.dataset)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    claim = submission.claim.document() if submission.claim else None
    token = token_for(record.id, record.worker_class).document()
    return _Written(run, New(record, placing(contents), token, claim), spec)


def _described(submission: Submission) -> tuple[Record, dict[str, Any]]:
    """The record and the spec of a new job."""
    contents, start, posted = dict(submission.spec.document), submission.start, submission.posted
    started_from = None
    if start is not None:
        started_from = StartedFrom(
            job=start.manifest["job"],
            checkpoint=start.id,
            mode=contents["start_from"]["mode"],
            step=start.manifest["step"],
            samples=start.manifest["samples"],
            epoch=start.manifest["epoch"],
        )
        # What "latest" meant is decided now.
        contents["start_from"] = {**contents["start_from"], "checkpoint": start.id}
    record = Record(
        id=submission.trial.job if submission.trial else new_job_id(),
        kind=submission.kind,
        name=contents["name"],
        owner=submission.owner,
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset=submission.spec.dataset,
        fingerprint=submission.spec.fingerprint,
        resumed_from=started_from,
        recipe=posted["recipe"]["type"] if posted else None,
        forked_from=submission.parent.job if submission.parent else None,
        sweep=submission.trial.sweep if submission.trial else None,
        traceparent=submission.traceparent,
        **record_fields(contents),
    )
    return record, contents


def _fill(
    run: RunDirectory, submission: Submission, contents: Mapping[str, Any], spec: bytes, volume: Volume
) -> None:
    schema = submission.fitted_schema or volume.dataset(submission.spec.dataset).schema
    try:
        _link(schema, run.schema)
    except FileNotFoundError:
        raise NotFound(f"there is no data set {contents['dataset']!r}") from None
    if submission.start is not None:
        checkpoints.link(submission.start.directory, run.start)
    in_jobs.link(run, contents, volume)
    if submission.posted is not None:
        write_new(run.posted, document_bytes(submission.posted))
    if submission.parent is not None:
        write_new(run.fork, document_bytes(asdict(submission.parent)))
    write_new(run.spec, spec)


def _link(source: Path, target: Path) -> None:
    """A file that never changes, in a second place."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        # A file system without hard links, or with too many of this file.
        shutil.copyfile(source, target)
