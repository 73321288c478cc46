"""Another attempt at a job that failed: from which checkpoint, and at which learning rate.

The run directory is brought into shape first, under its lock, and the job is queued last. Killed
in between, the job is failed as before and can be retried again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field

from jobs.checkpoints import choose
from jobs.dataset import load_schema
from jobs.errors import Conflict, Fault, InvalidInput, NotFound, Refused
from jobs.queue import TokenQueue
from jobs.record import Kind, Record
from jobs.settings import Settings
from jobs.specs.normalise import normalise
from jobs.specs.part_models import Strict
from jobs.specs.structure import parse_as
from jobs.states import Reason, State
from jobs.store import Store
from trainer.files import fsync_folder, read_json, write_json
from trainer.layout import RunDirectory
from trainer.parts import learners

BEGINNING = "start"


class RetryRequest(Strict):
    """Where the next attempt goes on, and whether at another learning rate."""

    checkpoint: Annotated[int, Field(ge=0)] | str = Field(
        default="latest",
        description="latest, best, a number of samples or an id; start for none. Newer ones are deleted",
    )
    learning_rate: Any = Field(
        default=None, description="a number or a schedule, as the learner takes it; the old one if left out"
    )


def retry(
    job_id: str, document: Mapping[str, Any], store: Store, queue: TokenQueue, settings: Settings
) -> Record:
    """Queue a failed job for another attempt; one that waits for that already is left as it is.

    Raises InvalidInput with every fault, NotFound without the job, Conflict where the job has not
    failed, its data set is gone or a newer checkpoint is pinned.
    """
    request = parse_as(RetryRequest, document)
    record = store.get(job_id)
    if (record.state, record.reason) == (State.QUEUED, Reason.RETRIED):
        return record
    _require_failed(record)
    run = settings.volume.job(job_id)
    if not run.spec.is_file():
        raise Conflict(f"there is no run directory of {job_id} on the volume: nothing to go on with")
    with _alone(run):
        record = store.get(job_id)
        _require_failed(record)
        _require_dataset(record, settings)
        faults: list[Fault] = []
        samples = _checkpoint(record, run, request, faults)
        spec = _spec(record, run, request, settings, faults)
        if faults:
            raise InvalidInput.of(faults)
        _set_back(record, run, samples, spec)
        rate = "" if request.learning_rate is None else f" at another learning rate: {request.learning_rate}"
        try:
            return store.retry(
                record,
                f"from {'its beginning' if samples is None else f'{job_id}@{samples}'}{rate}",
                fields={
                    "crashes": 0,
                    "losses_in_a_row": 0,
                    "forgiven_ms": record.starting_ms + record.training_ms,
                    "crash_samples": samples or 0,
                    "fingerprint": spec["fingerprint"],
                    "checkpoints": len(run.published_checkpoints()),
                },
                check=lambda: _require_dataset(record, settings),
                push_token=lambda pipe: queue.push(job_id, record.worker_class, pipe),
                after=spec.get("after") or (),
            )
        except Refused:
            raise Conflict(f"job {job_id} was changed meanwhile; look at it and ask again") from None


def submitted_spec(run: RunDirectory) -> dict[str, Any] | None:
    """The spec that a job was submitted with, whatever retries have made of it; None where it is gone."""
    attempts = sorted(int(entry.name) for entry in run.attempts.glob("*") if entry.name.isdigit())
    replaced = (run.attempt(number).spec for number in attempts)
    for path in [*replaced, run.spec]:
        if path.is_file():
            found: dict[str, Any] = read_json(path)
            return found
    return None


def _require_failed(record: Record) -> None:
    if record.state is not State.FAILED:
        raise Conflict(f"only a job that failed can be retried; {record.id} is {record.state}")


def _require_dataset(record: Record, settings: Settings) -> None:
    try:
        load_schema(settings.volume, record.dataset)
    except NotFound:
        raise Conflict(f"data set {record.dataset}, which {record.id} needs, is gone") from None


@contextmanager
def _alone(run: RunDirectory) -> Iterator[None]:
    """The run's lock; Conflict while a trainer of it lives, or somebody else retries it."""
    descriptor = os.open(run.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            detail = f"the last trainer of {run.path.name} has not left yet, or another request retries it"
            raise Conflict(detail) from None
        yield
    finally:
        os.close(descriptor)


def _checkpoint(record: Record, run: RunDirectory, request: RetryRequest, faults: list[Fault]) -> int | None:
    """Samples of the checkpoint to go on from; None for the beginning."""
    published = run.published_checkpoints()
    if request.checkpoint == BEGINNING or (request.checkpoint == "latest" and not published):
        samples = None
    elif record.kind is Kind.EVALUATION:
        detail = "an evaluation has no checkpoints of its own: it begins anew; leave this out"
        faults.append(Fault("/checkpoint", "contradiction", detail))
        return None
    else:
        try:
            samples = choose(run, request.checkpoint).samples
        except NotFound as error:
            faults.append(Fault("/checkpoint", "unknown_checkpoint", error.detail))
            return None
    newer = [number for number in published if number > (-1 if samples is None else samples)]
    pinned = [f"{record.id}@{number}" for number in newer if run.checkpoint(number).pinned.exists()]
    if pinned:
        raise Conflict(
            f"an attempt from there would take the place of {', '.join(pinned)}, which is pinned; "
            "unpin it, or submit a job that starts from the checkpoint of your choice"
        )
    return samples


def _spec(
    record: Record, run: RunDirectory, request: RetryRequest, settings: Settings, faults: list[Fault]
) -> dict[str, Any]:
    """The complete spec of the next attempt."""
    document: dict[str, Any] = read_json(run.spec)
    if request.learning_rate is None:
        return document
    if record.kind is Kind.EVALUATION:
        detail = "an evaluation learns nothing; leave this out"
        faults.append(Fault("/learning_rate", "contradiction", detail))
        return document
    rate = learners[document["learner"]["type"]].facts["rate"]
    document["learner"] = {**document["learner"], rate: request.learning_rate}
    if document["start_from"] and document["start_from"]["mode"] == "exact":
        document["start_from"] = {**document["start_from"], "mode": "continue"}
    place = f"/learner/{rate}"
    try:
        return normalise(document, settings.volume, settings, run).document
    except InvalidInput as error:
        for fault in error.faults:
            pointer = fault.pointer.replace(place, "/learning_rate", 1)
            faults.append(Fault(pointer, fault.code, fault.detail))
        return document


def _set_back(record: Record, run: RunDirectory, samples: int | None, spec: dict[str, Any]) -> None:
    """The run directory as the next attempt must find it; what it replaces goes to the last attempt's."""
    last = run.attempt(record.attempt)
    last.path.mkdir(parents=True, exist_ok=True)
    for number in run.published_checkpoints():
        if samples is None or number > samples:
            doomed = run.checkpoints / f".superseded-{number}"
            shutil.rmtree(doomed, ignore_errors=True)
            run.checkpoint(number).path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
    if spec != read_json(run.spec):
        write_json(last.spec, read_json(run.spec))
        write_json(run.spec, spec)
    if run.result.exists():
        run.result.rename(last.result)
    fsync_folder(run.path)
