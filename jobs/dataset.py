"""What is known of an ingested data set: the schema that ingestion writes and others read."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import NotFound
from trainer.layout import Volume, read_json

SPLITS = ("train", "valid", "test")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceFile(_Strict):
    """One uploaded file, as it came."""

    filename: str
    size: int
    sha256: str


class FieldSchema(_Strict):
    """One named column.

    dense: ``files.values`` is (rows, *shape), float32 or uint8.
    categorical: ``files.values`` is (rows,) int32 codes; ``shape`` is (number of classes,).
    sparse: compressed rows: ``files.values`` float32, ``files.indices`` int32,
    ``files.indptr`` int64 (rows + 1); ``shape`` is (dimension,).
    A sequence field has ``files.offsets``, int64 (rows + 1): row r owns the steps
    offsets[r]:offsets[r + 1], and "rows" above reads "steps".
    """

    kind: Literal["dense", "categorical", "sparse"]
    shape: tuple[int, ...]
    """Shape of one example as a network sees it (a scalar is (1,))."""
    dtype: str
    sequence: bool = False
    files: dict[str, str]
    """Role (values, indices, indptr, offsets) to file name inside the data set's folder."""
    columns: list[str] | None = None
    """Where a dense field was gathered from several source columns: one name an element."""
    count: int
    """Rows, or steps of a sequence field."""
    min: float | None = None
    max: float | None = None
    mean: list[float] | None = None
    """Per element, over the training split; dense fields of at most 65,536 elements."""
    std: list[float] | None = None
    """As ``mean``: population deviation; 0 where an element is constant."""
    classes: list[str] | None = None
    histogram: list[int] | None = None
    """Training-split examples per class, in the order of ``classes``."""
    max_length: int | None = None
    """Longest sequence, in steps."""
    axis: str | None = None
    """Of a sequence field: the first field, in this schema's order, whose sequences have the same
    lengths row by row (it may be this one). Fields of equal axis go together step by step."""
    row_sum: tuple[float, float] | None = None
    """Smallest and largest sum over the elements of a row (or step), where a dense field is a vector
    of more than one element, all within 0..1: (1, 1) is what softmax wants of its targets."""


class SplitSchema(_Strict):
    """Rows of one split: an int64 .npy of row indices."""

    rows: int
    file: str


class DatasetSchema(_Strict):
    """``schema.json`` of a data set. ``id`` is derived from content and options alone."""

    schema_version: Literal[1] = 1
    id: str
    name: str
    created_at: datetime
    format: str
    rows: int
    size: int = Field(description="bytes on the volume")
    sources: list[SourceFile]
    options: dict[str, object]
    """The normalised ingestion options."""
    fields: dict[str, FieldSchema]
    splits: dict[Literal["train", "valid", "test"], SplitSchema]


def load_schema(volume: Volume, dataset_id: str) -> DatasetSchema:
    """The schema of a data set on the volume; NotFound where there is none."""
    try:
        # An id becomes part of a path, so only what looks like one is looked for.
        if not re.fullmatch(r"ds_\w+", dataset_id):
            raise FileNotFoundError
        return DatasetSchema.model_validate(read_json(volume.dataset(dataset_id).schema))
    except FileNotFoundError:
        raise NotFound(f"there is no data set {dataset_id!r}") from None
