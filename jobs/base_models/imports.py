"""Base models on the volume: brought, queued for a worker to open, found, removed.

The record on the volume is the truth. Redis holds which models still wait (``cj:imports``, in the order of
their tokens): whoever imports one moves it ahead every second, and one that nobody has moved for a lease's
time is given a new token, as jobs are. Importing twice is harmless: whoever is last finds it done.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from jobs import checkpoints
from jobs.backlog import IMPORTS
from jobs.base_models.records import ModelRecord, ModelSource, ModelStatus, Preprocessing, load_record
from jobs.connection import reaching_redis
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.features import forget
from jobs.ids import is_job_id
from jobs.queue import TokenQueue
from jobs.shelf import Shelf
from jobs.store import Store
from trainer.files import fsync_folder, read_json, write_json
from trainer.layout import ModelDirectory, Volume

CONVERSION = 1
"""Raised when the same file and options come to mean another model than before."""
FORMATS = {".onnx": "onnx", ".model": "cntk", ".dnn": "cntk", ".cntk": "cntk", ".mdl": "cntk"}

Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = ""
    preprocessing: Preprocessing | None = None


class ModelOptions(_Options):
    """What goes with an uploaded model."""

    format: Literal["cntk", "onnx"] | None = None
    """By the file's extension, where it is none: .onnx; .model, .dnn, .cntk or .mdl."""


class ModelOfJob(_Options):
    """A base model from what a job has trained."""

    job: str
    checkpoint: str | int | None = None
    """latest, best, a number of samples or an id; without one the finished model."""


def parse_options(document: Mapping[str, Any]) -> ModelOptions:
    """InvalidInput with every fault at once."""
    try:
        return ModelOptions.model_validate(document)
    except ValidationError as error:
        found = _faults(error, document, ModelOptions)
        raise InvalidInput.of(
            [Fault("/options" + fault.pointer, fault.code, fault.detail) for fault in found]
        ) from None


def parse_request(document: Mapping[str, Any]) -> ModelOfJob:
    """As ``parse_options``, of a request that names a job."""
    try:
        return ModelOfJob.model_validate(document)
    except ValidationError as error:
        raise InvalidInput.of(_faults(error, document, ModelOfJob)) from None


def _faults(error: ValidationError, document: Mapping[str, Any], model: type[BaseModel]) -> list[Fault]:
    # Not for workers: the models of specs take a quarter of a second to make.
    from jobs.specs.structure import structural_faults

    return structural_faults(error, document, model)


def uploaded(path: Path, filename: str, options: ModelOptions, folder: Path) -> ModelRecord:
    """The record of an uploaded file, which becomes the model's source in ``folder``; nothing is opened."""
    format_ = options.format or FORMATS.get(Path(filename).suffix.lower())
    if format_ is None:
        detail = f"{filename!r} does not say what it is; 'format' must be 'cntk' or 'onnx'"
        raise InvalidInput.of([Fault("/options/format", "format_unknown", detail)])
    if path.stat().st_size == 0:
        raise InvalidInput.of([Fault("/file", "empty", f"{filename!r} is empty")])
    directory = ModelDirectory(folder)
    path.rename(directory.source)
    source = ModelSource(
        format="onnx" if format_ == "onnx" else "cntk",
        filename=filename,
        size=directory.source.stat().st_size,
        sha256=_sha256(directory.source),
    )
    return _record(source, options.name or filename, options, [])


def of_job(request: ModelOfJob, volume: Volume, folder: Path) -> ModelRecord:
    """The record of a job's model, which is hard-linked into ``folder``. NotFound, Conflict."""
    if not is_job_id(request.job) or not volume.job(request.job).spec.is_file():
        raise NotFound(f"there is no job {request.job!r}")
    run = volume.job(request.job)
    if request.checkpoint is None:
        chosen, model = None, run.artifacts / "model.dnn"
        expected = None
    else:
        found = checkpoints.choose(run, request.checkpoint)
        if read_json(run.spec).get("cached"):
            raise Conflict(
                f"the checkpoints of {request.job!r} hold the layers behind its cached features alone; "
                "leave the checkpoint out: the finished model is whole"
            )
        chosen, model = found.id, found.directory.model
        expected = found.manifest["files"][model.name]["sha256"]
    source = ModelDirectory(folder).source
    try:
        os.link(model, source)
    except FileNotFoundError:
        raise Conflict(
            f"job {request.job!r} has no finished model; name a checkpoint, or wait until it has ended"
        ) from None
    digest = _sha256(source)
    if expected is not None and digest != expected:
        raise Conflict(f"the model of checkpoint {chosen!r} has changed: its SHA-256 is not the manifest's")
    spec = read_json(run.spec)
    found_source = ModelSource(
        format="job", size=source.stat().st_size, sha256=digest, job=request.job, checkpoint=chosen
    )
    name = request.name or spec["name"] or request.job
    return _record(found_source, name, request, list(spec["outputs"]))


def _record(source: ModelSource, name: str, options: _Options, outputs: list[str]) -> ModelRecord:
    said = {
        "conversion": CONVERSION,
        "sha256": source.sha256,
        "format": source.format,
        "outputs": outputs,
        "preprocessing": options.preprocessing.model_dump(mode="json") if options.preprocessing else None,
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return ModelRecord(
        id="mdl_" + hashlib.sha256(text.encode()).hexdigest()[:24],
        name=name,
        status=ModelStatus.IMPORTING,
        created_at=datetime.now(UTC),
        source=source,
        preprocessing=options.preprocessing,
        outputs=outputs,
    )


def keep(record: ModelRecord, folder: Path, store: Store, queue: TokenQueue, volume: Volume) -> ModelRecord:
    """Put ``folder`` in the model's place and queue its import; what was there already stays as it is."""
    store.ping()
    place = volume.model(record.id).path
    write_json(ModelDirectory(folder).record, record.model_dump(mode="json"))
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        record = load_record(volume, record.id)
    fsync_folder(place.parent)
    if record.status is ModelStatus.IMPORTING:
        enqueue(record.id, store, queue)
    return record


def enqueue(model_id: str, store: Store, queue: TokenQueue) -> None:
    """Have a worker import a model, unless one is to do so already."""
    now = store.now_ms()
    with reaching_redis():
        if store.client.zscore(IMPORTS, model_id) is not None:
            return
        with store.client.pipeline() as pipe:
            queue.push_import(model_id, pipe)
            pipe.zadd(IMPORTS, {model_id: now}, nx=True)
            pipe.execute()


def beat(model_id: str, store: Store) -> None:
    """Say that somebody is at this import."""
    now = store.now_ms()
    with reaching_redis():
        store.client.zadd(IMPORTS, {model_id: now}, xx=True)


def begin(model_id: str, store: Store) -> int:
    """How many times the import has been begun, this time counted."""
    with reaching_redis():
        return int(store.client.hincrby(f"{IMPORTS}:tries", model_id, 1))


def put_back(model_id: str, store: Store) -> None:
    """An import that was stopped in good order does not count."""
    with reaching_redis():
        store.client.hincrby(f"{IMPORTS}:tries", model_id, -1)


def done(model_id: str, store: Store) -> None:
    """Nobody need import this model any more."""
    with reaching_redis(), store.client.pipeline() as pipe:
        pipe.zrem(IMPORTS, model_id)
        pipe.hdel(f"{IMPORTS}:tries", model_id)
        pipe.execute()


def requeue(store: Store, queue: TokenQueue, volume: Volume) -> None:
    """Queue every import that the volume has and Redis has not: it was lost."""
    folders = volume.models.iterdir() if volume.models.is_dir() else ()
    for record in _records((folder.name for folder in folders), volume):
        if record.status is ModelStatus.IMPORTING:
            enqueue(record.id, store, queue)


def page(volume: Volume, store: Store, after: str | None, limit: int) -> tuple[list[ModelRecord], str | None]:
    """The newest ``limit`` base models behind a place (None: of all), and the place to go on behind.

    One that is deleted meanwhile is left out, so there may be fewer.
    """
    shelf = Shelf("models", volume.models, volume, store, lambda name: load_record(volume, name).created_at)
    names, following = shelf.page(after, limit)
    return list(_records(names, volume)), following


def _records(names: Iterable[str], volume: Volume) -> Iterator[ModelRecord]:
    """Of names that are no models, or not any more, none."""
    for name in names:
        with suppress(NotFound):
            yield load_record(volume, name)


def remove(volume: Volume, model_id: str, folder: Path) -> None:
    """Delete a model by way of ``folder``; jobs that were submitted with it keep their own. NotFound."""
    digest = load_record(volume, model_id).sha256
    try:
        volume.model(model_id).path.rename(folder / model_id)
    except FileNotFoundError:
        raise NotFound(f"there is no model {model_id!r}") from None
    fsync_folder(volume.models)
    shutil.rmtree(folder / model_id, ignore_errors=True)
    if digest is not None:
        forget(volume, model_sha256=digest)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
