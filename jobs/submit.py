"""Submission: from a spec as posted to a queued job, or to nothing at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

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
from jobs.tracing import tracing
from jobs.volume import require_volume
from trainer.layout import RunDirectory, Volume, fsync_folder, write_json, write_whole


def submit(
    document: Mapping[str, Any],
    store: Store,
    queue: TokenQueue,
    settings: Settings,
    claim: Claim | None = None,
    owner: str | None = None,
) -> Record:
    """Check a spec, write its run directory and queue it; the new record.

    ``claim`` is the key of a request that is done once however often it is sent.

    Raises InvalidInput with every fault, NotFound without the data set, Conflict where the
    checkpoint to start from does not fit or is broken, Unavailable while Redis is away.
    Whatever is raised, nothing is left behind.
    """
    volume = settings.volume
    require_volume(volume)
    spec = normalise(document, volume, settings)
    start = resolve_start(spec, volume)
    check_after(spec.document, store)
    posted = document if document.get("recipe") is not None else None
    return enqueue(spec, start, store, queue, volume, claim=claim, posted=posted, owner=owner)


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
    owner: str | None = None,
) -> Record:
    """Queue a job of a complete spec, from a checkpoint or afresh.

    ``fitted_schema`` is that of the data set that the network is trained on, where this is another;
    ``posted`` the spec as it was posted, where that named a recipe.
    """
    # Most refusals for want of Redis cost no write to the volume then.
    store.ping()
    job_id = new_job_id()
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
        state=State.QUEUED,
        reason=Reason.SUBMITTED,
        dataset=spec.dataset,
        fingerprint=spec.fingerprint,
        resumed_from=started_from,
        recipe=posted["recipe"]["type"] if posted else None,
        traceparent=tracing.traceparent(),
        **record_fields(spec.document),
    )
    run = volume.job(job_id)
    try:
        _write_run(run, contents, start, fitted_schema or volume.dataset(spec.dataset).schema, volume, posted)
        made = store.create(
            record,
            check=lambda: _require_dataset(volume, spec.dataset),
            push_token=lambda pipe: queue.push(job_id, record.worker_class, pipe),
            claim=claim.document() if claim else None,
            placing=placing(spec.document),
        )
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    # The job is queued, whatever becomes of this: only a loss of Redis would ask for it.
    with suppress(OSError):
        note_accepted(run, made, claim)
    return made


def _write_run(
    run: RunDirectory,
    contents: dict[str, Any],
    start: Chosen | None,
    fitted_schema: Path,
    volume: Volume,
    posted: Mapping[str, Any] | None,
) -> None:
    """The run directory. No worker looks at it before the record exists."""
    run.path.mkdir()
    try:
        write_whole(run.schema, fitted_schema.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"there is no data set {contents['dataset']!r}") from None
    if start is not None:
        checkpoints.link(start.directory, run.start)
    bases.link(run, contents, volume)
    if posted is not None:
        write_json(run.posted, posted)
    write_json(run.spec, contents)
    fsync_folder(run.path.parent)


def _require_dataset(volume: Volume, dataset_id: str) -> None:
    load_schema(volume, dataset_id)
