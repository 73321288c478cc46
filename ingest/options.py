"""The ``options`` document of an upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from ingest.faults import nearest, pointer
from ingest.field_options import FieldOptions, Name, Strict, TokenOptions, Word
from ingest.images.options import GivenProposals, ImageOptions
from ingest.proposals import ProposalSettings
from jobs.errors import Fault, InvalidInput

Format = Literal["csv", "jsonl", "parquet", "npz", "ctf", "arff", "images"]
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".npz": "npz",
    ".ctf": "ctf",
    ".arff": "arff",
    ".zip": "images",
    ".tar": "images",
    ".tar.gz": "images",
    ".tgz": "images",
}
"""The format that a file's extension stands for."""
CSV_ONLY = ("columns", "delimiter", "quote", "header", "surplus")
TABLES = ("csv", "arff", "jsonl", "parquet")
"""Formats of rows whose values may be text."""


class SplitOptions(Strict):
    """Which rows are for training, validation and test. Rows that nothing names are for training."""

    files: dict[Split, Annotated[list[Name], Field(min_length=1)]] | None = None
    """By uploaded file."""
    column: Word | None = None
    """By the words train, valid, test in this column, which then is no field."""
    fractions: dict[Literal["valid", "test"], Annotated[float, Field(gt=0, lt=1)]] | None = None
    """Drawn at random out of the training rows."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the draw: equal seeds over equally many rows draw equal rows."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.files and self.column:
            raise PydanticCustomError("conflict", "gives both files and column: give one")
        total = sum((self.fractions or {}).values())
        if total >= 1:
            problem = "takes {total} of the rows by its fractions: less than 1 leaves rows for training"
            raise PydanticCustomError("fractions", problem, {"total": f"{total:g}"})
        return self


class Options(Strict):
    """Everything that an upload says besides its bytes."""

    name: Name | None = None
    """Absent: the first file's name without its extension."""
    format: Format | None = None
    """Absent: by extension."""
    columns: Annotated[list[Word], Field(min_length=1)] | None = None
    """Names of a CSV's columns, where it has no header (or a bad one: with ``header`` true)."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1, pattern=r'[^\r\n" ]')] | None = None
    quote: Annotated[str, Field(max_length=1)] | None = None
    """Quotes a CSV value; empty: nothing does."""
    header: bool | None = None
    """Whether a CSV's first line names its columns. Absent: unless ``columns`` does."""
    surplus: Literal["error", "drop"] | None = None
    """What values of a CSV behind the last named column are: an error, or nothing."""
    fields: dict[Name, FieldOptions] = Field(default_factory=dict)
    exclude: list[Word] = Field(default_factory=list)
    """Columns, or globs of them, that become no field."""
    images: ImageOptions | None = None
    """How the images of archives become rows."""
    splits: SplitOptions = Field(default_factory=SplitOptions)
    like: Annotated[str, Field(pattern="^ds_[0-9a-f]{24}$")] | None = None
    """A data set whose fields these files shall have: nothing is fitted anew. Its rows are for test."""

    @property
    def rest(self) -> Split:
        """The split of rows that nothing names."""
        return "train" if self.like is None else "test"


def parse_options(document: Mapping[str, Any]) -> Options:
    """The options of a JSON document; InvalidInput with every fault at once."""
    try:
        return Options.model_validate(document)
    except ValidationError as error:
        faults = dict.fromkeys(_fault(found) for found in error.errors(include_url=False))
        raise InvalidInput.of(list(faults)) from None


def _fault(found: ErrorDetails) -> Fault:
    """One of pydantic's errors in our words."""
    steps = list(found["loc"])
    if len(steps) > 3 and steps[0] == "fields" and steps[2] == "missing":
        # Both branches of the union fail; one fault says it.
        steps = steps[:3]
        detail = f"{found['input']!r} is not 'error', 'mean' or a number"
        return Fault(pointer("options", *steps), "missing_policy", detail)
    if len(steps) > 3 and steps[0] == "fields" and steps[2] == "encode":
        detail = 'is \'one_hot\' or {"hash": dimension, "seed": a whole number}'
        return Fault(pointer("options", *steps[:3]), "encode", detail)
    if steps and steps[-1] == "[key]":
        steps = steps[:-1]
    if steps[:2] == ["images", "proposals"]:
        # The branch of the union, which no document has.
        steps = [*steps[:2], *steps[3:]]
    place = pointer("options", *steps)
    if found["type"] == "extra_forbidden":
        name = str(steps[-1])
        return Fault(place, "unknown_option", f"there is no option {name!r}; {nearest(name, _known(steps))}")
    if found["type"] in ("duplicate", "conflict", "fractions", "method", "range"):
        return Fault(place, found["type"], f"{steps[-1]} {found['msg']}")
    if found["type"] == "pattern":
        return Fault(place, "pattern", found["msg"])
    return Fault(place, found["type"].replace("_", "-"), f"{found['msg']}; got {found['input']!r:.200}")


def _known(steps: Sequence[int | str]) -> list[str]:
    """The options that exist where an unknown one was found."""
    models: dict[int | str, type[BaseModel]] = {
        "fields": FieldOptions,
        "splits": SplitOptions,
        "images": ImageOptions,
    }
    model = models.get(steps[0], Options) if len(steps) > 1 else Options
    if model is FieldOptions and len(steps) > 3:
        model = TokenOptions if steps[2] == "tokens" else FieldOptions
    if model is ImageOptions and len(steps) > 2:
        return [*GivenProposals.model_fields, *ProposalSettings.model_fields]
    return list(model.model_fields)
