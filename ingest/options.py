"""The ``options`` document of an upload."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from ingest.faults import listing, nearest, pointer
from jobs.errors import Fault, InvalidInput

Format = Literal["csv", "npz", "ctf", "arff"]
Kind = Literal["dense", "categorical", "sparse"]
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

FORMATS: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".ctf": "ctf", ".arff": "arff"}
"""The format that a file's extension stands for."""
CSV_ONLY = ("columns", "delimiter", "quote", "header")
OF_TEXTS = {"csv", "arff"}
"""Formats whose values are texts that may be replaced."""
LARGEST_INDEX = 2**31 - 1
"""Indices of sparse rows are int32."""
FLOAT32_MAX = 3.4028234663852886e38


def _class_name(value: object) -> object:
    """Classes that are numbers may be written as numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Word = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
ClassName = Annotated[str, BeforeValidator(_class_name)]
Dimension = Annotated[int, Field(ge=1, le=LARGEST_INDEX)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class FieldOptions(_Strict):
    """How one field is made."""

    columns: Annotated[list[Word], Field(min_length=1)] | None = None
    """Names or globs; several columns are gathered into one dense field. Absent: the column of that name."""
    kind: Kind | None = None
    """Absent: found from the data."""
    shape: Annotated[list[Dimension], Field(min_length=1, max_length=8)] | None = None
    """Of one row. A sparse field: its dimension."""
    classes: Annotated[list[ClassName], Field(min_length=1)] | None = None
    replace: dict[str, str] = Field(default_factory=dict)
    """Text of a value of a CSV or ARFF, and what is read in its stead."""
    missing: Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX)] | Literal["error", "mean"] = "error"
    """What stands for a missing number: nothing (an error), the training split's mean, a number."""

    @property
    def told_kind(self) -> Kind | None:
        """The kind asked for; who gives classes asks for a categorical field."""
        return "categorical" if self.classes is not None else self.kind

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[str] | None) -> list[str] | None:
        repeated = [name for name, times in Counter(classes or ()).items() if times > 1]
        if repeated:
            raise PydanticCustomError("duplicate", "names {names} twice", {"names": listing(repeated)})
        return classes

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.classes is not None and self.kind not in (None, "categorical"):
            raise PydanticCustomError("conflict", "gives classes, so its kind is categorical")
        if self.told_kind == "categorical" and self.shape is not None:
            raise PydanticCustomError("conflict", "is categorical: its classes are its shape")
        if self.told_kind in ("categorical", "sparse") and self.missing != "error":
            raise PydanticCustomError("conflict", "gives 'missing', which is for dense fields")
        if self.kind == "sparse" and self.shape is not None and len(self.shape) != 1:
            raise PydanticCustomError("conflict", "is sparse: its shape is one dimension, such as [943]")
        return self


class SplitOptions(_Strict):
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


class Options(_Strict):
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
    fields: dict[Name, FieldOptions] = Field(default_factory=dict)
    exclude: list[Word] = Field(default_factory=list)
    """Columns, or globs of them, that become no field."""
    splits: SplitOptions = Field(default_factory=SplitOptions)


def parse_options(document: Mapping[str, Any]) -> Options:
    """The options of a JSON document; InvalidInput with every fault at once."""
    try:
        return Options.model_validate(document)
    except ValidationError as error:
        faults = dict.fromkeys(_fault(found) for found in error.errors(include_url=False))
        raise InvalidInput.of(list(faults)) from None


def normalise(options: Options, filenames: Sequence[str]) -> Options:
    """The options with name, format and the format's defaults filled in; InvalidInput."""
    faults = list(_format_faults(options, filenames)) + list(_file_faults(options, filenames))
    if faults:
        raise InvalidInput.of(faults)
    first = PurePosixPath(filenames[0])
    filled: dict[str, Any] = {
        "name": options.name or first.stem or filenames[0],
        "format": options.format or FORMATS[first.suffix.lower()],
    }
    if filled["format"] == "csv":
        filled["delimiter"] = options.delimiter or ("\t" if first.suffix.lower() == ".tsv" else ",")
        filled["quote"] = '"' if options.quote is None else options.quote
        filled["header"] = options.columns is None if options.header is None else options.header
    return options.model_copy(update=filled)


def _format_faults(options: Options, filenames: Sequence[str]) -> list[Fault]:
    faults: list[Fault] = []
    formats: set[str] = {options.format} if options.format else set()
    for filename in filenames if options.format is None else ():
        suffix = PurePosixPath(filename).suffix.lower()
        if suffix in FORMATS:
            formats.add(FORMATS[suffix])
        else:
            problem = (
                f"its extension {suffix!r} tells no format: say so in /options/format (csv, npz, ctf or arff)"
            )
            faults.append(Fault(pointer("file", filename), "unknown_format", problem))
    if len(formats) > 1:
        mixed = f"one data set is of one format, not of {listing(sorted(formats))}"
        faults.append(Fault("/file", "mixed_formats", mixed))
    if formats and "csv" not in formats:
        for key in CSV_ONLY:
            if getattr(options, key) is not None:
                faults.append(Fault(pointer("options", key), "not_for_format", f"{key!r} is for CSV only"))
    if formats and not formats & OF_TEXTS:
        for name, field in options.fields.items():
            if field.replace:
                place = pointer("options", "fields", name, "replace")
                faults.append(Fault(place, "not_for_format", "text is replaced in CSV and ARFF only"))
    return faults


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
    if options.splits.files and "train" in options.splits.files:
        for name in filenames:
            if name not in taken:
                problem = f"{name!r} is in no split: name it in one, or leave out 'train', which is the rest"
                faults.append(Fault("/options/splits/files", "unassigned_file", problem))
    return faults


def _fault(found: ErrorDetails) -> Fault:
    """One of pydantic's errors in our words."""
    steps = list(found["loc"])
    if len(steps) > 3 and steps[0] == "fields" and steps[2] == "missing":
        # Both branches of the union fail; one fault says it.
        steps = steps[:3]
        detail = f"{found['input']!r} is not 'error', 'mean' or a number"
        return Fault(pointer("options", *steps), "missing_policy", detail)
    if steps and steps[-1] == "[key]":
        steps = steps[:-1]
    place = pointer("options", *steps)
    if found["type"] == "extra_forbidden":
        name = str(steps[-1])
        return Fault(place, "unknown_option", f"there is no option {name!r}; {nearest(name, _known(steps))}")
    if found["type"] in ("duplicate", "conflict", "fractions"):
        return Fault(place, found["type"], f"{steps[-1]} {found['msg']}")
    return Fault(place, found["type"].replace("_", "-"), f"{found['msg']}; got {found['input']!r:.200}")


def _known(steps: Sequence[int | str]) -> list[str]:
    """The options that exist where an unknown one was found."""
    models: dict[int | str, type[BaseModel]] = {"fields": FieldOptions, "splits": SplitOptions}
    model = models.get(steps[0], Options) if len(steps) > 1 else Options
    return list(model.model_fields)
