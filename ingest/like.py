"""The preprocessing of another data set, as its schema holds it, said in options."""

from __future__ import annotations

from typing import Literal

from ingest.field_options import FieldOptions, HashOptions, TokenOptions
from ingest.images.options import GivenProposals, ImageOptions
from ingest.proposals import ProposalSettings
from jobs.dataset import DatasetSchema, FieldSchema, load_schema
from jobs.errors import Fault, InvalidInput, NotFound
from trainer.layout import Volume


def find(volume: Volume, dataset_id: str) -> DatasetSchema:
    """The data set that ``like`` names; InvalidInput where there is none."""
    try:
        return load_schema(volume, dataset_id)
    except NotFound as error:
        raise InvalidInput.of([Fault("/options/like", "unknown_dataset", error.detail)]) from None


def options_like(field: FieldSchema) -> FieldOptions:
    """Options that make the same of new data, given what ``field`` itself says of its columns."""
    hashed, tokens = field.hashed, field.tokens
    missing: float | Literal["error", "mean"] = "error"
    if field.fill is not None:
        missing = "mean" if isinstance(field.fill, list) else field.fill
    return FieldOptions(
        columns=[source.name for source in field.sources],
        kind=field.kind,
        shape=list(field.shape) if field.kind != "categorical" and hashed is None else None,
        classes=field.classes,
        replace=field.replace,
        missing=missing,
        tokens=None
        if tokens is None
        else TokenOptions(
            pattern=tokens.pattern,
            lowercase=tokens.lowercase,
            unknown=tokens.unknown,
            empty=tokens.empty,
            max_length=tokens.max_length,
        ),
        encode=None if hashed is None else HashOptions(hash=hashed.dimension, seed=hashed.seed),
        standardize=field.standardized is not None,
    )


def images_like(options: ImageOptions, like: DatasetSchema | None) -> ImageOptions:
    """The options with size, fit, channels and proposals of the other data set's images."""
    for field in like.fields.values() if like is not None else ():
        if field.images is not None:
            there = field.images
            told = {"size": list(there.size), "fit": there.fit, "channels": there.channels}
            options = options.model_copy(update=told)
        if field.proposals is not None and field.proposals.method != "given":
            settings = {"method": field.proposals.method, **field.proposals.settings}
            options = options.model_copy(update={"proposals": ProposalSettings.model_validate(settings)})
        elif field.proposals is not None:
            options = options.model_copy(update={"proposals": options.proposals or GivenProposals()})
    return options
