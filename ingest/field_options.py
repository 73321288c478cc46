"""What an upload may say of one field."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal, LiteralString, Self

import regex
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ingest.columns import MAX_CLASSES
from ingest.faults import listing

Kind = Literal["dense", "categorical", "sparse"]
MOST_REPEATS = 1000
"""Repetitions by number that a pattern may ask for: each is compiled, and nested ones multiply."""
LARGEST_INDEX = 2**31 - 1
"""Indices of sparse rows are int32."""
FLOAT32_MAX = 3.4028234663852886e38


def _class_name(value: object) -> object:
    """Classes that are numbers may be written as numbers."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _defaults(value: object) -> object:
    return {} if value is True else value


Word = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
ClassName = Annotated[str, BeforeValidator(_class_name)]
Dimension = Annotated[int, Field(ge=1, le=LARGEST_INDEX)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class TokenOptions(Strict):
    """How text becomes a sequence of tokens, and which of them the vocabulary holds."""

    pattern: Word | None = None
    r"""A regular expression of one token. Absent: ``\w+|[^\w\s]``, words and marks. Not for lists."""
    lowercase: bool | None = None
    """Absent: true for text, false for lists of tokens."""
    max_vocabulary: Annotated[int, Field(ge=1, le=MAX_CLASSES)] = 20_000
    """Most classes, the unknown word among them: the most frequent tokens of the training split."""
    min_count: Annotated[int, Field(ge=1)] = 1
    """How often a token stands in the training split, at least."""
    unknown: Word | None = "<unk>"
    """The class of all tokens that are not in the vocabulary. null: such a token is an error."""
    empty: Literal["error", "unknown"] = "error"
    """What a text without any token is: an error, or one unknown token."""
    max_length: Annotated[int, Field(ge=1)] | None = None
    """Most tokens of a row; later ones are dropped."""
    vocabulary_of: Name | None = None
    """A field whose vocabulary this one shares, counted over both. What is absent here is as there."""

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None and (problem := _expensive(pattern)) is not None:
            raise PydanticCustomError("pattern", problem)
        try:
            compiled = regex.compile(pattern or "")
        except (regex.error, OverflowError, RecursionError) as error:
            problem = "{pattern} is no regular expression: {error}"
            raise PydanticCustomError(
                "pattern", problem, {"pattern": repr(pattern), "error": str(error)}
            ) from None
        if compiled.groups:
            problem = "{pattern} has a group (...), write (?:...): a token is all that matches"
            raise PydanticCustomError("pattern", problem, {"pattern": repr(pattern)})
        return pattern

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.empty == "unknown" and self.unknown is None:
            raise PydanticCustomError("conflict", "makes an unknown token of empty text, and has no unknown")
        shared = {"max_vocabulary", "min_count", "unknown"} & self.model_fields_set
        if self.vocabulary_of is not None and shared:
            problem = "shares a vocabulary: say {words} of that field"
            raise PydanticCustomError("conflict", problem, {"words": listing(sorted(shared))})
        return self


def _expensive(pattern: str) -> LiteralString | None:
    """What a token's pattern has no need of, and what takes memory without end where it is let."""
    times = [int(most or least or 0) for least, most in re.findall(r"\{(\d*),?(\d*)\}", pattern)]
    if math.prod(filter(None, times)) > MOST_REPEATS:
        return "a pattern that repeats more than 1,000 times by {...}; * and + have no limit"
    if re.search(r"\(\?(?:R|\d|&|P>)", pattern):
        return "a pattern that calls itself, (?R); a token is no recursive thing"
    if re.search(r"\{[^}]*[<=]", pattern):
        return "a pattern that matches nearly, {e<=1}; a token is what matches"
    return None


class HashOptions(Strict):
    """Categories by the hash of their text: no list of classes, and no class is unknown."""

    hash: Annotated[int, Field(ge=1, le=LARGEST_INDEX)]
    """The dimension of the field."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


class FieldOptions(Strict):
    """How one field is made."""

    columns: Annotated[list[Word], Field(min_length=1)] | None = None
    """Names or globs; several columns are gathered into one dense field. Absent: the column of that name."""
    columns_from: Name | None = None
    """An uploaded XML file (Mulan's) that declares labels: they are gathered, each of them 0 or 1."""
    kind: Kind | None = None
    """Absent: found from the data."""
    shape: Annotated[list[Dimension], Field(min_length=1, max_length=8)] | None = None
    """Of one row. A sparse field: its dimension."""
    classes: Annotated[list[ClassName], Field(min_length=1)] | None = None
    replace: dict[str, str] = Field(default_factory=dict)
    """Text of a value of a table, and what is read in its stead."""
    missing: Annotated[float, Field(ge=-FLOAT32_MAX, le=FLOAT32_MAX)] | Literal["error", "mean"] = "error"
    """What stands for a missing number: nothing (an error), the training split's mean, a number."""
    tokens: Annotated[TokenOptions | None, BeforeValidator(_defaults)] = None
    """Text becomes a sequence of tokens; true for the defaults."""
    encode: Literal["one_hot"] | HashOptions | None = None
    """How categories become numbers. Absent: one-hot where columns are gathered."""
    standardize: bool = False
    """Numbers less their mean, divided by their deviation, both of the training split."""

    @property
    def told_kind(self) -> Kind | None:
        """The kind asked for; who gives classes asks for a categorical field."""
        return "categorical" if self.classes is not None else self.kind

    @property
    def hashing(self) -> HashOptions | None:
        return self.encode if isinstance(self.encode, HashOptions) else None

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[str] | None) -> list[str] | None:
        repeated = [name for name, times in Counter(classes or ()).items() if times > 1]
        if repeated:
            raise PydanticCustomError("duplicate", "names {names} twice", {"names": listing(repeated)})
        return classes

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        for problem in self._conflicts():
            raise PydanticCustomError("conflict", problem)
        return self

    def _conflicts(self) -> Iterator[LiteralString]:
        if self.classes is not None and self.kind not in (None, "categorical"):
            yield "gives classes, so its kind is categorical"
        if self.told_kind == "categorical" and self.shape is not None:
            yield "is categorical: its classes are its shape"
        if self.told_kind in ("categorical", "sparse") and self.missing != "error":
            yield "gives 'missing', which is for dense fields"
        if self.kind == "sparse" and self.shape is not None and len(self.shape) != 1:
            yield "is sparse: its shape is one dimension, such as [943]"
        if self.standardize and self.told_kind in ("categorical", "sparse"):
            yield "is to be standardized, which is for dense fields"
        if self.columns_from is not None and (
            self.columns is not None or self.told_kind not in (None, "dense")
        ):
            yield "takes its columns from a file: they are dense, and no others are named"
        if self.tokens is not None:
            if self.kind not in (None, "categorical") or self.shape is not None or self.missing != "error":
                yield "is text to tokens, a categorical field: it has no shape and no missing numbers"
            if self.encode is not None or self.standardize or self.columns_from is not None:
                yield "is text to tokens: one column, neither encoded nor standardized"
            unknown, shared = self.tokens.unknown, self.tokens.vocabulary_of is not None
            if self.classes is not None and shared:
                yield "shares a vocabulary, so its classes are those of the other field"
            if self.classes is not None and unknown is not None and unknown not in self.classes:
                yield 'has an unknown word that is none of its classes: add it, or say "unknown": null'
        if self.encode is not None and (self.told_kind == "categorical" or self.columns_from is not None):
            yield "is encoded, so it is not categorical, and its columns are no labels"
        if self.hashing is not None:
            if self.shape is not None or self.missing != "error" or self.standardize:
                yield "is hashed: it has a dimension and no shape, missing numbers or standardizing"
        elif self.encode is not None and self.kind == "sparse":
            yield 'is one-hot, which is dense; sparse fields are made by {"hash": dimension}'
