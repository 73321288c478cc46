"""The options as they are meant: defaults filled in, and what they say held against the files' names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from ingest.faults import listing, nearest, pointer
from ingest.field_options import TokenOptions
from ingest.images.options import ImageOptions
from ingest.like import images_like
from ingest.options import CSV_ONLY, FORMATS, TABLES, Format, Options
from jobs.dataset import DatasetSchema
from jobs.errors import Fault, InvalidInput

NEEDS_TEXT = {
    "replace": "text is replaced in tables (CSV, ARFF, JSONL, Parquet) only",
    "tokens": "text becomes tokens in tables (CSV, ARFF, JSONL, Parquet) only",
    "encode": "categories are encoded in tables (CSV, ARFF, JSONL, Parquet) only",
    "columns_from": "labels are gathered from tables (CSV, ARFF, JSONL, Parquet) only",
}
"""Options of a field that are for tables, and what to say where they are not."""


def normalise(options: Options, filenames: Sequence[str], like: DatasetSchema | None = None) -> Options:
    """The options with name, format and the format's defaults filled in; InvalidInput.

    ``filenames`` are those of the data alone. ``like``: what ``options.like`` names; a CSV is
    then read as that data set's was, where the options do not say otherwise.
    """
    faults = [*_format_faults(options, filenames), *_file_faults(options, filenames)]
    faults += _vocabulary_faults(options)
    if like is not None:
        faults += _like_faults(options, filenames, like)
    if faults:
        raise InvalidInput.of(faults)
    first = filenames[0]
    format_ = _format(options, first)
    stem = first[: len(first) - len(_extension(first))]
    filled: dict[str, Any] = {"name": options.name or stem or first, "format": format_}
    if format_ == "images":
        filled["images"] = images_like(options.images or ImageOptions(), like)
    if format_ == "csv":
        told: dict[str, Any] = {key: getattr(options, key) for key in CSV_ONLY}
        if like is not None and like.format == "csv":
            # A header that is told takes the place of names that were told.
            skipped = {"columns"} if options.header else set()
            for key in CSV_ONLY:
                if told[key] is None and key not in skipped:
                    told[key] = like.options.get(key)
        filled["columns"] = told["columns"]
        filled["delimiter"] = told["delimiter"] or ("\t" if _extension(first) == ".tsv" else ",")
        filled["quote"] = '"' if told["quote"] is None else told["quote"]
        filled["header"] = told["columns"] is None if told["header"] is None else told["header"]
        filled["surplus"] = told["surplus"] or "error"
    return _with_shared_vocabularies(options).model_copy(update=filled)


def _with_shared_vocabularies(options: Options) -> Options:
    """What a field that shares a vocabulary does not say of tokens is as the vocabulary's field says."""
    fields = dict(options.fields)
    for name, field in options.fields.items():
        if field.tokens is not None and field.tokens.vocabulary_of is not None:
            root = options.fields.get(field.tokens.vocabulary_of)
            base = root.tokens if root is not None and root.tokens is not None else TokenOptions()
            said = {key: getattr(field.tokens, key) for key in field.tokens.model_fields_set}
            fields[name] = field.model_copy(update={"tokens": base.model_copy(update=said)})
    return options.model_copy(update={"fields": fields})


def companions(options: Options) -> dict[str, str]:
    """Uploaded files that are no data: their names, each with a field that asks for it."""
    return {
        field.columns_from: name for name, field in options.fields.items() if field.columns_from is not None
    }


def _format(options: Options, filename: str) -> Format | None:
    return options.format or FORMATS.get(_extension(filename))


def _extension(filename: str) -> str:
    """The known extension that the name ends in, the longest one (.tar.gz), else what is behind its dot."""
    known = [extension for extension in FORMATS if filename.lower().endswith(extension)]
    return max(known, key=len, default=PurePosixPath(filename).suffix.lower())


def _format_faults(options: Options, filenames: Sequence[str]) -> Iterator[Fault]:
    formats = {found for filename in filenames if (found := _format(options, filename))}
    for filename in filenames:
        if _format(options, filename) is None:
            suffix = _extension(filename)
            known = ", ".join(sorted(set(FORMATS.values())))
            problem = f"its extension {suffix!r} tells no format: say so in /options/format ({known})"
            if suffix == ".xml":
                problem += ", or name it in a field's columns_from if it declares labels"
            yield Fault(pointer("file", filename), "unknown_format", problem)
    if len(formats) > 1:
        mixed = f"one data set is of one format, not of {listing(sorted(formats))}"
        yield Fault("/file", "mixed_formats", mixed)
    if formats and "csv" not in formats:
        for key in CSV_ONLY:
            if getattr(options, key) is not None:
                yield Fault(pointer("options", key), "not_for_format", f"{key!r} is for CSV only")
    if formats and "images" not in formats and options.images is not None:
        yield Fault("/options/images", "not_for_format", "'images' is for archives of images only")
    if formats == {"images"}:
        yield from _image_faults(options)
    elif formats and not formats & set(TABLES):
        for name, field in options.fields.items():
            for key, problem in NEEDS_TEXT.items():
                if getattr(field, key):
                    yield Fault(pointer("options", "fields", name, key), "not_for_format", problem)


def _image_faults(options: Options) -> Iterator[Fault]:
    """Of a field made of an archive only its column and its classes can be told."""
    if options.splits.column is not None:
        problem = "an archive of images tells splits by folders or map files"
        yield Fault("/options/splits/column", "not_for_format", problem)
    for name, field in options.fields.items():
        for key in sorted(field.model_fields_set - {"columns", "classes"}):
            problem = f"{key!r} is not for archives of images; a field of one has 'columns' and 'classes'"
            yield Fault(pointer("options", "fields", name, key), "not_for_format", problem)


def _file_faults(options: Options, filenames: Sequence[str]) -> list[Fault]:
    """What is wrong with the file names that the splits give."""
    faults: list[Fault] = []
    taken: dict[str, str] = {}
    for split, names in (options.splits.files or {}).items():
        for index, name in enumerate(names):
            place = pointer("options", "splits", "files", split, index)
            if name not in filenames:
                problem = f"no uploaded file is called {name!r}; {nearest(name, filenames)}"
                faults.append(Fault(place, "unknown_file", problem))
            elif name in taken:
                problem = f"{name!r} is in split {taken[name]!r} already: a file is in one split"
                faults.append(Fault(place, "duplicate", problem))
            taken[name] = split
    rest = options.rest
    if options.splits.files and rest in options.splits.files:
        for name in filenames:
            if name not in taken:
                problem = f"{name!r} is in no split: name it in one, or leave out {rest!r}, which is the rest"
                faults.append(Fault("/options/splits/files", "unassigned_file", problem))
    return faults


def _vocabulary_faults(options: Options) -> Iterator[Fault]:
    """A shared vocabulary is another field's own."""
    for name, field in options.fields.items():
        root = field.tokens.vocabulary_of if field.tokens else None
        other = options.fields[root].tokens if root in options.fields else None
        if root == name or (other is not None and other.vocabulary_of is not None):
            place = pointer("options", "fields", name, "tokens", "vocabulary_of")
            problem = f"{root!r} has no vocabulary of its own; name the field that has it"
            yield Fault(place, "vocabulary", problem)
        elif other and other.unknown is None and field.tokens and field.tokens.empty == "unknown":
            place = pointer("options", "fields", name, "tokens", "empty")
            yield Fault(place, "conflict", f"the vocabulary of {root!r} has no word for unknown tokens")


def _like_faults(options: Options, filenames: Sequence[str], like: DatasetSchema) -> Iterator[Fault]:
    for key in ("fields", "exclude"):
        if key in options.model_fields_set:
            problem = f"{key!r} is as in {like.id}: next to 'like' it is not given"
            yield Fault(pointer("options", key), "conflict", problem)
    images = options.images or ImageOptions()
    methods = {field.proposals.method for field in like.fields.values() if field.proposals is not None}
    as_there = {"size", "fit", "channels", "proposals"}
    if images.proposals is not None and {images.proposals.method} == methods == {"given"}:
        # New images come with proposals of their own.
        as_there.remove("proposals")
    for key in sorted(as_there & images.model_fields_set):
        problem = f"{key!r} is as in {like.id}: next to 'like' it is not given"
        yield Fault(pointer("options", "images", key), "conflict", problem)
    if not all(field.sources for field in like.fields.values()):
        problem = f"{like.id} was ingested before its preprocessing was stored; upload its files again"
        yield Fault("/options/like", "not_fitted", problem)
    formats = {_format(options, filename) for filename in filenames} - {None}
    for found in formats:
        if found != like.format and not {found, like.format} <= set(TABLES):
            problem = f"{like.id} is made of {like.format}, which {found} cannot stand for"
            yield Fault("/options/like", "other_format", problem)
