"""The import of a base model: what a user brought is opened in the sandbox, what comes out is checked."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import mmap
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import ValidationError

from ingest.incoming import incoming_folder
from jobs import imports
from jobs.base_models.records import ModelInput, ModelRecord, ModelStatus, load_record
from jobs.errors import NotFound, Unavailable
from jobs.settings import Settings
from jobs.store import Store
from trainer import model_file
from trainer.layout import ModelDirectory
from worker import sandbox
from worker.bell import Bell
from worker.launch import ROOT, program_environment, trainer_environment

BEAT_SECONDS = 1.0
_MOST_SAID = 32 << 20
"""Bytes of what the sandboxed program says of a model."""

log = logging.getLogger("worker")


class StoppedError(Exception):
    """The worker must leave, or the model is gone: somebody else will import it, or nobody need."""


def run_import(model_id: str) -> None:
    """What a token asks for: the import of a model, if it still waits for one."""
    settings = Settings()
    store = Store.open(settings)
    directory = settings.volume.model(model_id)
    try:
        record = load_record(settings.volume, model_id)
        with _locked(directory) as mine:
            if mine:
                if record.status is ModelStatus.IMPORTING:
                    import_model(record, store, settings)
                imports.done(model_id, store)
    except NotFound:
        imports.done(model_id, store)
    except StoppedError:
        imports.put_back(model_id, store)
        log.info("the import of %s was stopped", model_id)


def import_model(record: ModelRecord, store: Store, settings: Settings) -> None:
    """Bring an import to its end: the record says ready or refused. StoppedError, Unavailable."""
    directory = settings.volume.model(record.id)
    if imports.begin(record.id, store) > settings.crash_limit:
        detail = f"importing it brought its worker down {settings.crash_limit} times"
        conclude(directory, record, {"status": ModelStatus.REFUSED, "detail": detail})
        return
    bell = Bell()
    bell.listen_to_signals()
    with incoming_folder(settings.volume, "import-") as folder:
        try:
            found = opened(record, directory, folder, settings, _Watch(record.id, directory, store, bell))
        except model_file.RefusedModel as error:
            found = {"status": ModelStatus.REFUSED, "detail": str(error)[:2000]}
        kept = folder / "model.dnn"
        if found["status"] is ModelStatus.READY:
            # It fails where the model was deleted meanwhile, as the record's own place does.
            kept.rename(directory.model)
        conclude(directory, record, found, folder)


class _Watch:
    """Asked by the sandbox whether to go on; renews the import's place meanwhile."""

    def __init__(self, model_id: str, directory: ModelDirectory, store: Store, bell: Bell) -> None:
        self._model_id, self._directory, self._store, self._bell = model_id, directory, store, bell
        self._next = 0.0

    def __call__(self) -> bool:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_SECONDS
            try:
                imports.beat(self._model_id, self._store)
            except Unavailable:
                log.debug("Redis is away; the import goes on")
        return not self._bell.stop_asked and self._directory.record.exists()


def opened(
    record: ModelRecord, directory: ModelDirectory, folder: Path, settings: Settings, watch: _Watch
) -> dict[str, Any]:
    """What the record says of a model that was opened; its model.dnn is in ``folder`` then. RefusedModel."""
    scratch = folder / "scratch"
    scratch.mkdir()
    ending = _run(record, directory, scratch, settings, watch)
    if not watch():
        raise StoppedError
    base: dict[str, Any] = {"sandbox": ending.sandbox, "status": ModelStatus.READY, "detail": ""}
    refused = _said(scratch / "refused.json")
    if refused is not None:
        return {**base, "status": ModelStatus.REFUSED, "detail": str(refused.get("detail", ""))[:2000]}
    found = _said(scratch / "found.json")
    if ending.trouble or ending.returncode or found is None:
        last = " ".join(ending.stderr.strip().splitlines()[-1:])[:500]
        why = ending.trouble or f"it ended with status {ending.returncode}"
        detail = f"the process that opened the file failed: {why}" + (
            f"; its last words: {last}" if last else ""
        )
        return {**base, "status": ModelStatus.REFUSED, "detail": detail}
    # From here on nothing is believed that the sandboxed process left: the file might have taken it over.
    copy = folder / "model.dnn"
    with _opened(scratch / "model.dnn") as stream, copy.open("xb") as kept:
        shutil.copyfileobj(stream, kept, 1 << 20)
        kept.flush()
        os.fsync(kept.fileno())
    if copy.stat().st_size == 0:
        raise model_file.RefusedModel("opening it left an empty model")
    with copy.open("rb") as stream:
        model_file.checked(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    try:
        checked = ModelRecord.model_validate(
            {**record.model_dump(mode="json"), **base, **found, "sha256": digest}
        )
    except ValidationError as error:
        raise model_file.RefusedModel(f"what was found in it makes no sense: {error}") from None
    check_preprocessing(checked)
    names = ("inputs", "outputs", "nodes", "parameters")
    return {**base, "sha256": digest, **{name: getattr(checked, name) for name in names}}


def check_preprocessing(record: ModelRecord) -> None:
    """RefusedModel where the preprocessing does not fit the channels of the model's input."""
    wanted = record.preprocessing
    if wanted is None:
        return
    for given in (wanted.shift, wanted.scale):
        if isinstance(given, list) and not any(_fits(given, one) for one in record.inputs):
            shapes = ", ".join(f"{one.name} {list(one.shape)}" for one in record.inputs)
            raise model_file.RefusedModel(
                f"the preprocessing has {len(given)} numbers, one a channel, but the inputs are {shapes}"
            )


def _fits(given: list[float], one: ModelInput) -> bool:
    return bool(one.shape) and one.shape[0] == len(given)


def _run(
    record: ModelRecord, directory: ModelDirectory, scratch: Path, settings: Settings, watch: _Watch
) -> sandbox.Ending:
    trainer = trainer_environment(settings)
    python = Path(trainer["python"])
    room = ROOT / "trainer"
    readable = [
        settings.trainer_env,
        python.resolve().parents[1],
        *map(Path, [*trainer["library_path"], *trainer["python_path"]]),
        room,
        directory.source,
    ]
    format_ = "onnx" if record.source.format == "onnx" else "cntk"
    command = [str(python), "-m", "trainer.importing", str(directory.source), format_, str(scratch)]
    limits = sandbox.Limits(
        memory_bytes=settings.import_memory_bytes,
        seconds=settings.import_seconds,
        disk_bytes=8 * record.source.size + (64 << 20),
    )
    environment = program_environment(trainer, threads=1)
    environment |= {"PATH": os.defpath, "HOME": str(scratch), "TMPDIR": str(scratch)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    try:
        return sandbox.run([*command, *record.outputs], scratch, readable, environment, limits, watch)
    except sandbox.NoSandboxError as error:
        raise model_file.RefusedModel(f"it cannot be opened safely: {error}") from None


def conclude(
    directory: ModelDirectory, record: ModelRecord, found: dict[str, Any], folder: Path | None = None
) -> None:
    """Write the record's last form; nothing where the model was deleted meanwhile."""
    final = record.model_copy(update=found)
    text = json.dumps(final.model_dump(mode="json"), indent=1, sort_keys=True, allow_nan=False)
    aside = (folder or directory.path) / ".writing-model.json"
    try:
        with aside.open("w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        aside.rename(directory.record)
    except FileNotFoundError:
        raise NotFound(f"there is no model {record.id!r}") from None
    log.info("%s is %s at %s", record.id, final.status, datetime.now(UTC).isoformat(timespec="seconds"))


@contextmanager
def _locked(directory: ModelDirectory) -> Iterator[bool]:
    """Whether this process is the one to import the model."""
    try:
        descriptor = os.open(directory.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        raise NotFound(f"there is no model {directory.path.name!r}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = True
        except BlockingIOError:
            mine = False
        yield mine
    finally:
        os.close(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A plain file that the sandboxed process left: no link, no device. RefusedModel."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise model_file.RefusedModel(f"opening it left no {path.name}: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise model_file.RefusedModel(f"opening it left a {path.name} that is no file")
        yield stream


def _said(path: Path) -> dict[str, Any] | None:
    """A JSON object that the sandboxed process left; None where there is none."""
    if not os.path.lexists(path):
        return None
    with _opened(path) as stream:
        text = stream.read(_MOST_SAID + 1)
    try:
        found = json.loads(text.decode("utf-8")) if len(text) <= _MOST_SAID else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise model_file.RefusedModel(f"opening it left a {path.name} that cannot be read")
    return found
