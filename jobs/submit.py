"""Submission: from a spec as posted to a queued job, or to nothing at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from redis.client import Pipeline

from jobs import bases, checkpoints
from jobs.checkpoints import Chosen
from jobs.dataset import load_schema
from jobs.errors import NotFound
from jobs.idempotency import Claim
from jobs.ids import new_job_id
from jobs.queue import TokenQueue
from jobs.record import Kind, Record, StartedFrom
from jobs.rescan import note_accepted
from jobs.schedule import check_after, placing, record_fields
from jobs.settings import Settings
from jobs.spec import NormalisedSpec, normalise
from jobs.start import resolve_start
from jobs.states import Reason, State
from jobs.store import Store
from jobs.volume import require_volume
from trainer.layout import RunDirectory, Volume, fsync_folder, write_json, write_whole


@dataclass(frozen=True)
class TrialOf:
    """A job that is a trial of a sweep, which has chosen its id."""

    sweep: str
    job: str


@dataclass(frozen=True)
class Parent:
    """The job that another one is a fork of: the patch as posted, and what differs between their specs."""

    job: str
    patch: dict[str, Any]
    diff: list[dict[str, Any]]


@dataclass(frozen=True)
class Submission:
    """A job that is to be queued, and what its run directory is made of."""

    record: Record
    contents: dict[str, Any]
    """Its spec.json."""
    start: Chosen | None
    fitted_schema: Path
    posted: Mapping[str, Any] | None
    parent: Parent | None


def submit(
    document: Mapping[str, Any],
    store: Store,
    queue: TokenQueue,
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
    spec, start = checked(document, store, settings)
    return enqueue(
        spec, start, store, queue, settings.volume, claim=claim, posted=document, owner=owner, trial=trial
    )


def checked(
    document: Mapping[str, Any], store: Store, settings: Settings
) -> tuple[NormalisedSpec, Chosen | None]:
    """The complete spec of a posted one, and the checkpoint that it starts from; raises as ``submit``."""
    require_volume(settings.volume)
    spec = normalise(document, settings.volume, settings)
    start = resolve_start(spec, settings.volume)
    check_after(spec.document, store)
    return spec, start


def enqueue(
    spec: NormalisedSpec,
    start: Chosen | None,
    store: Store,
    queue: TokenQueue,
    volume: Volume,
    *,
    kind: Kind = Kind.TRAINING,
    fitted_schema: Path | None = None,
    claim: Claim | None = None,
    posted: Mapping[str, Any] | None = None,
    parent: Parent | None = None,
    owner: str | None = None,
    trial: TrialOf | None = None,
) -> Record:
    """Queue a job of a complete spec, from a checkpoint or afresh.

    ``fitted_schema`` is that of the data set that the network is trained on, where this is another;
    ``posted`` the spec as its author wrote it, ``parent`` the job whose spec that was made of.
    """
    new = submission(
        spec,
        start,
        volume,
        kind=kind,
        fitted_schema=fitted_schema,
        posted=posted,
        parent=parent,
        owner=owner,
        trial=trial,
    )
    [made] = enqueue_all([new], store, queue, volume, claim)
    return made


def submission(
    spec: NormalisedSpec,
    start: Chosen | None,
    volume: Volume,
    *,
    kind: Kind = Kind.TRAINING,
    fitted_schema: Path | None = None,
    posted: Mapping[str, Any] | None = None,
    parent: Parent | None = None,
    owner: str | None = None,
    trial: TrialOf | None = None,
) -> Submission:
    """What ``enqueue`` makes of a complete spec, before anything is written."""
    job_id = trial.job if trial else new_job_id()
    started_from = None
    contents = dict(spec.document)
    if start is not None:
        started_from = StartedFrom(
            job=start.manifest["job"],
            checkpoint=start.id,
            mode=spec.document["start_from"]["mode"],
            step=start.manifest["step"],
            samples=start.manifest["samples"],
            epoch=start.manifest["epoch"],
        )
        # What "latest" meant is decided now.
        contents["start_from"] = {**spec.document["start_from"], "checkpoint": start.id}
    record = Record(
        id=job_id,
        kind=kind,
        name=spec.document["name"],
        owner=owner,
        sweep=trial.sweep if trial else None,
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset=spec.dataset,
        fingerprint=spec.fingerprint,
        resumed_from=started_from,
        recipe=recipe_of(posted),
        forked_from=parent.job if parent else None,
        **record_fields(spec.document),
    )
    schema = fitted_schema or volume.dataset(spec.dataset).schema
    return Submission(record, contents, start, schema, posted, parent)


def enqueue_all(
    new: Sequence[Submission], store: Store, queue: TokenQueue, volume: Volume, claim: Claim | None = None
) -> list[Record]:
    """Queue jobs, all of them or none: whatever is raised, nothing is left behind."""
    # Most refusals for want of Redis cost no write to the volume then.
    store.ping()

    def require_datasets() -> None:
        for dataset in {one.record.dataset for one in new}:
            load_schema(volume, dataset)

    def push_tokens(pipe: Pipeline) -> None:
        for one in new:
            queue.push(one.record.id, one.record.worker_class, pipe)

    try:
        for one in new:
            _write_run(volume.job(one.record.id), one, volume)
        made = store.create_all(
            [(one.record, placing(one.contents)) for one in new],
            check=require_datasets,
            push_tokens=push_tokens,
            claim=claim.document() if claim else None,
        )
    except BaseException:
        for one in new:
            shutil.rmtree(volume.job(one.record.id).path, ignore_errors=True)
        raise
    # The jobs are queued, whatever becomes of this: only a loss of Redis would ask for it.
    with suppress(OSError):
        for record in made:
            note_accepted(volume.job(record.id), record, claim if len(made) == 1 else None)
    return made


def _write_run(run: RunDirectory, new: Submission, volume: Volume) -> None:
    """The run directory. No worker looks at it before the record exists."""
    run.path.mkdir()
    try:
        write_whole(run.schema, new.fitted_schema.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no data set {new.record.dataset!r}") from None
    if new.start is not None:
        checkpoints.link(new.start.directory, run.start)
    bases.link(run, new.contents, volume)
    write_json(run.spec, new.contents)
    _write_origin(run, new.posted, new.parent)
    fsync_folder(run.path.parent)


def _write_origin(run: RunDirectory, posted: Mapping[str, Any] | None, parent: Parent | None) -> None:
    """What the complete spec does not tell any more: the recipe, and the job that it was made of."""
    if recipe_of(posted):
        write_json(run.posted, posted)
    if parent is not None:
        write_json(run.fork, asdict(parent))


def recipe_of(posted: Mapping[str, Any] | None) -> str | None:
    """The name of the recipe that a posted spec is short for; None where it is none."""
    recipe = (posted or {}).get("recipe")
    return None if recipe is None else str(recipe["type"])
