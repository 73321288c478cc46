"""The run directory of a new job, from what was submitted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobs import checkpoints
from jobs.base_models import in_jobs
from jobs.checkpoints import Chosen
from jobs.dataset import load_schema
from jobs.errors import NotFound
from jobs.idempotency import Claim
from jobs.ids import new_job_id
from jobs.queue import token_for
from jobs.queueing import New
from jobs.record import Kind, Record, StartedFrom
from jobs.schedule import placing, record_fields
from jobs.specs.normalise import NormalisedSpec
from jobs.states import Reason, State
from jobs.tracing import tracing
from jobs.writing import document_bytes, write_new
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
class Written:
    """A job that is whole on the volume and not queued yet."""

    run: RunDirectory
    new: New
    spec: bytes
    """As spec.json has it."""


def write(submission: Submission, volume: Volume) -> Written:
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
    return Written(run, New(record, placing(contents), token, claim), spec)


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
