"""The data sets on the volume: made whole or not at all, found by id, removed in one step."""

from __future__ import annotations

import errno
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ingest.convert import convert
from ingest.faults import file_pointer
from ingest.fields import Upload
from ingest.incoming import incoming_folder
from ingest.labels import with_labels
from ingest.like import find
from ingest.normalise import companions, normalise
from ingest.options import Options, parse_options
from jobs.dataset import DatasetSchema, SourceFile, load_schema
from jobs.errors import Fault, InvalidInput, NotFound, Unavailable
from jobs.settings import Settings
from jobs.shelf import Shelf
from jobs.store import Store
from trainer.files import fsync_folder, write_json
from trainer.layout import DatasetDirectory, Volume

__all__ = ["Upload", "get", "ingest", "page", "remove"]

CONVERSION = 2
"""Raised when the same files and options come to mean other columns than before."""
_ID = re.compile(r"ds_[0-9a-f]{24}")


def ingest(
    files: Sequence[Upload], options: Mapping[str, Any], settings: Settings, owner: str | None = None
) -> tuple[DatasetSchema, bool]:
    """Convert uploaded files into a data set; returns its schema and whether it is new.

    The id is of the files' bytes and the options, the name aside: what was uploaded before
    is found again, and keeps its owner. Raises InvalidInput with every fault (TooLarge where a file
    unpacks to more than ``settings.max_upload_bytes``) and Unavailable where the volume is full;
    whatever is raised, nothing is left on the volume.
    """
    _check_filenames([file.filename for file in files])
    volume = settings.volume
    parsed = with_labels(parse_options(options), files)
    data = [file for file in files if file.filename not in companions(parsed)]
    if not data:
        raise InvalidInput.of([Fault("/file", "missing", "an upload needs a file besides those of labels")])
    like = find(volume, parsed.like) if parsed.like is not None else None
    normalised = normalise(parsed, [file.filename for file in data], like)
    sources = [
        SourceFile(filename=file.filename, size=file.path.stat().st_size, sha256=_sha256(file.path))
        for file in files
    ]
    dataset_id = _identity(sources, normalised)
    if volume.dataset(dataset_id).schema.exists():
        return load_schema(volume, dataset_id), False
    try:
        with _conversion_folder(volume) as folder:
            limit = settings.max_upload_bytes
            schema = convert(data, sources, normalised, dataset_id, folder, limit, like)
            owned = schema.model_copy(update={"owner": owner})
            write_json(DatasetDirectory(folder).schema, owned.model_dump(mode="json"))
            new = _publish(folder, volume.dataset(dataset_id).path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable("the volume is full: remove data sets or jobs, then upload again") from error
        raise
    return load_schema(volume, dataset_id), new


def page(
    volume: Volume, index: Store, after: str | None, limit: int
) -> tuple[list[DatasetSchema], str | None]:
    """The newest ``limit`` data sets behind a place (None: of all), and the place to go on behind.

    One that is deleted meanwhile is left out, so there may be fewer.
    """
    shelf = Shelf("datasets", volume.datasets, volume, index, lambda name: get(volume, name).created_at)
    names, following = shelf.page(after, limit)
    found = []
    for name in names:
        with suppress(NotFound):
            found.append(get(volume, name))
    return found, following


def get(volume: Volume, dataset_id: str) -> DatasetSchema:
    """The schema of one data set; NotFound."""
    _check_id(dataset_id)
    return load_schema(volume, dataset_id)


def remove(volume: Volume, dataset_id: str) -> None:
    """Delete a data set; NotFound. It vanishes by one rename, then its bytes go.

    Whether a job still needs it is for the caller to find out before.
    """
    _check_id(dataset_id)
    with incoming_folder(volume, "remove-") as folder:
        try:
            volume.dataset(dataset_id).path.rename(folder / dataset_id)
        except FileNotFoundError:
            raise NotFound(f"there is no data set {dataset_id!r}") from None
        fsync_folder(volume.datasets)


@contextmanager
def _conversion_folder(volume: Volume) -> Iterator[Path]:
    """Where columns are written until they are whole."""
    with incoming_folder(volume, "convert-") as folder:
        inner = folder / "dataset"
        inner.mkdir()
        yield inner


def _publish(folder: Path, final: Path) -> bool:
    """Rename a whole data set into place; False where another upload of the same came first."""
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(final)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    fsync_folder(final.parent)
    return True


def _identity(sources: Sequence[SourceFile], options: Options) -> str:
    """The id that these bytes under these options always have.

    File names count by their split alone, a file of labels by the columns that it names.
    """
    split_of = {name: split for split, names in (options.splits.files or {}).items() for name in names}
    labels = companions(options)
    said = options.model_dump(mode="json", exclude={"name": True, "splits": {"files": True}})
    if options.images is None:
        del said["images"]
    for field in said["fields"].values():
        field["columns_from"] = field["columns_from"] is not None
    document = {
        "conversion": CONVERSION,
        "files": [
            [source.sha256, split_of.get(source.filename, options.rest)]
            for source in sources
            if source.filename not in labels
        ],
        "options": said,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "ds_" + hashlib.sha256(text.encode("utf-8")).hexdigest()[:24]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_filenames(filenames: Sequence[str]) -> None:
    if not filenames:
        raise InvalidInput.of([Fault("/file", "missing", "an upload needs at least one file")])
    repeated = [name for name, times in Counter(filenames).items() if times > 1]
    if repeated:
        raise InvalidInput.of(
            [Fault(file_pointer(name), "duplicate", f"two files are called {name!r}") for name in repeated]
        )


def _check_id(dataset_id: str) -> None:
    """An id that is none never becomes a path."""
    if not _ID.fullmatch(dataset_id):
        raise NotFound(f"there is no data set {dataset_id!r}")
