"""What is known of an ingested data set: the schema that ingestion writes and others read."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from jobs.errors import NotFound
from trainer.files import read_json
from trainer.layout import Volume

SPLITS = ("train", "valid", "test")
AnySplit = Literal["train", "valid", "test", "unlabelled"]
"""``unlabelled``: images without a class, which are in no other split."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceFile(_Strict):
    """One uploaded file, as it came."""

    filename: str
    size: int
    sha256: str


class ColumnSchema(_Strict):
    """One column of the upload, as a field took it in."""

    name: str
    kind: Literal["numbers", "classes", "tokens", "hashed", "pairs"]
    """``pairs``: the index:value pairs of a sparse stream."""
    size: int = 1
    """Numbers a row."""
    classes: list[str] | None = None
    """Of a gathered column of classes: one element of the field each."""


class UnknownTokens(_Strict):
    """Steps of one split whose token is not in the vocabulary."""

    count: int
    share: float
    """Of the split's steps."""


class TokensSchema(_Strict):
    """How text became tokens, and what was lost; ``FieldSchema.classes`` is the vocabulary."""

    pattern: str | None
    """What a token is; None where the upload brought lists of tokens."""
    lowercase: bool
    unknown: str | None
    """The class of tokens that are not in the vocabulary; None: there may be none."""
    empty: Literal["error", "unknown"]
    """What a text without a token is: an error, or one unknown token."""
    max_length: int | None
    """Later tokens of a longer row were dropped."""
    vocabulary_of: str | None
    """The field whose vocabulary this is, where it is another's."""
    found: int
    """Different tokens in the training rows (of all fields that share the vocabulary)."""
    unknown_tokens: dict[Literal["train", "valid", "test"], UnknownTokens]
    cut_rows: dict[Literal["train", "valid", "test"], int]
    """Rows longer than ``max_length``."""


class HashSchema(_Strict):
    """Categories counted in ``dimension`` places: of each ``column=value`` the place
    is blake2b(digest_size=8, key=seed as 8 bytes, little end first) of its UTF-8, the little
    end first, modulo ``dimension``."""

    dimension: int
    seed: int


class BadImage(_Strict):
    """An image that was left out."""

    archive: str
    path: str
    code: str
    detail: str


class ImagesSchema(_Strict):
    """How the images of an archive became the rows of a dense field (channels, height, width), uint8."""

    channels: Literal["rgb", "gray"]
    size: tuple[int, int]
    """Height and width."""
    fit: Literal["resize", "letterbox", "crop"]
    names: str
    """File in the data set's folder: a line a row, the path in the archive as a JSON string."""
    bad_count: int = 0
    """Images that could not be read, and are no rows."""
    bad: list[BadImage] = []
    """The first 100 of them."""


class Scaling(_Strict):
    """Stored is (value - mean) / std, element by element."""

    mean: list[float]
    std: list[float]
    """1 where the training rows hold one value only. One-hot elements keep mean 0 and std 1."""


class BoxesSchema(_Strict):
    """What became of annotated boxes that no image can have (``outside`` clip), or that a crop cut."""

    outside: Literal["refuse", "clip"]
    clipped: int
    """Boxes cut to what of them lies on the image."""
    dropped: int
    """Boxes of which nothing was left, empty and inverted ones among them."""
    named: list[str]
    """The first of both, in words."""


class ProposalsSchema(_Strict):
    """Where the regions that a detector looks at come from, and how much of the annotations they reach."""

    method: Literal["selective_search+grid", "selective_search", "grid", "given"]
    settings: dict[str, object]
    images_without: int
    """Images with no proposal at all."""
    recall: dict[Literal["train", "valid", "test"], dict[str, float | None]]
    """For each split: the share of its annotated boxes that some proposal of their image overlaps by
    0.5 and by 0.7 (intersection over union); None where it has no box."""


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
    min_length: int | None = None
    """Shortest sequence, in steps. Where it is 0, a network cannot take the steps in: CNTK knows no
    sequence without one."""
    max_length: int | None = None
    """Longest sequence, in steps."""
    axis: str | None = None
    """Of a sequence field: the first field by name whose sequences have the same
    lengths row by row (it may be this one). Fields of equal axis go together step by step."""
    row_sum: tuple[float, float] | None = None
    """Smallest and largest sum over the elements of a row (or step), where a dense field is a vector
    of more than one element, all within 0..1: (1, 1) is what softmax wants of its targets."""
    sources: list[ColumnSchema] = []
    """The columns of the upload that the field was made of. This and what follows is all
    that it takes to make the same field of new data."""
    replace: dict[str, str] = {}
    """Texts that were read as other texts."""
    fill: float | list[float] | None = None
    """What stands for a missing number: one for all, or the training mean per element."""
    tokens: TokensSchema | None = None
    hashed: HashSchema | None = None
    standardized: Scaling | None = None
    images: ImagesSchema | None = None
    boxes: BoxesSchema | None = None
    """Of a field of annotated boxes, or of proposals that were given."""
    proposals: ProposalsSchema | None = None
    """Of a field of proposals."""


class SplitSchema(_Strict):
    """Rows of one split: an int64 .npy of row indices."""

    rows: int
    file: str
    lacks: list[str] = []
    """Fields that tell nothing of these rows, whatever their columns hold."""


class DatasetSchema(_Strict):
    """``schema.json`` of a data set. ``id`` is derived from content and options alone."""

    schema_version: Literal[1] = 1
    id: str
    name: str
    created_at: datetime
    owner: str | None = None
    """Name of the token that it was uploaded with; None where no token was asked for."""
    format: str
    rows: int
    size: int = Field(description="bytes on the volume")
    sources: list[SourceFile]
    options: dict[str, object]
    """The normalised ingestion options."""
    like: str | None = None
    """The data set whose fitted preprocessing was applied; ``mean``, ``std`` and ``histogram``
    are then those of its training split."""
    fields: dict[str, FieldSchema]
    splits: dict[AnySplit, SplitSchema]


def load_schema(volume: Volume, dataset_id: str) -> DatasetSchema:
    """The schema of a data set on the volume; NotFound where there is none."""
    try:
        # An id becomes part of a path, so only what looks like one is looked for.
        if not re.fullmatch(r"ds_\w+", dataset_id):
            raise FileNotFoundError
        path = volume.dataset(dataset_id).schema
        about = path.stat()
        return _parsed(path, (about.st_mtime_ns, about.st_size, about.st_ino))
    except FileNotFoundError:
        known = "GET /v1/datasets lists those there are, and an id (ds_…) is what names one"
        raise NotFound(f"there is no data set {dataset_id!r}; {known}") from None


@lru_cache(maxsize=32)
def _parsed(path: Path, version: tuple[int, int, int]) -> DatasetSchema:
    """The schema at ``path``, which is replaced whole and never changed: read once a ``version``."""
    return DatasetSchema.model_validate(read_json(path))
