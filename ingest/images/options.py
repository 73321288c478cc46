"""What an upload may say of its images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ingest.field_options import Name, Strict

Channels = Literal["rgb", "gray"]
Fit = Literal["resize", "letterbox", "crop"]
Layout = Literal["folders", "map", "voc", "rois", "coco"]

LARGEST_SIDE = 8192


def _square(value: object) -> object:
    return [value, value] if isinstance(value, int) and not isinstance(value, bool) else value


Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]


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
    class_names: Name | None = None
    """The file of the archive that names the classes, in the order of their numbers. Absent: by its name."""
