"""What an upload may say of its images."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from ingest.field_options import Name, Strict
from ingest.proposals import ProposalSettings

Channels = Literal["rgb", "gray"]
Fit = Literal["resize", "letterbox", "crop"]
Layout = Literal["folders", "map", "voc", "rois", "coco"]

LARGEST_SIDE = 8192


def _square(value: object) -> object:
    return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value


Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]


class GivenProposals(Strict):
    """Proposals that were computed before."""

    method: Literal["given"] = "given"
    files: Annotated[list[Name], Field(min_length=1)] | None = None
    """Text files of the archive. Absent: those whose names end in ``proposals.txt``."""


GIVEN, COMPUTED = "given", "computed"
METHODS: tuple[str, ...] = get_args(ProposalSettings.model_fields["method"].annotation)


def _way(value: object) -> str | None:
    """Which of the two a document, or a model, of proposals is."""
    method = value.get("method", COMPUTED) if isinstance(value, dict) else getattr(value, "method", None)
    if method in (COMPUTED, *METHODS):
        return COMPUTED
    return GIVEN if method == GIVEN else None


Proposals = Annotated[
    Annotated[ProposalSettings, Tag(COMPUTED)] | Annotated[GivenProposals, Tag(GIVEN)],
    Discriminator(
        _way,
        custom_error_type="method",
        custom_error_message="is an object with a method: " + ", ".join((*METHODS, GIVEN)),
    ),
]
"""Where the regions that a detector looks at come from."""


class ImageOptions(Strict):
    """How the images of an archive become rows."""

    size: Annotated[
        Annotated[list[Side], Field(min_length=2, max_length=2)] | None, BeforeValidator(_square)
    ] = None
    """[height, width], or one number for both. Absent: all images are of one size as they come."""
    fit: Fit = "resize"
    """How an image is brought to the size: stretched, whole with a grey border, or its middle cut out."""
    channels: Channels = "rgb"
    bad: Literal["quarantine", "error"] = "quarantine"
    """What an image that cannot be read is: left out and listed, or an error."""
    layout: Layout | None = None
    """How the archive tells what its images are. Absent: found from its files."""
    boxes: Literal["refuse", "clip"] = "refuse"
    """What annotated boxes off their image, inverted or empty are: an error, or cut to what is left."""
    proposals: Proposals | None = None
    """Of annotated images. Absent: none are made."""
    class_names: Name | None = None
    """The file of the archive that names the classes, in the order of their numbers. Absent: by its name."""
