"""The spec's ``regions``: which parts of an image a detector looks at, and what it is to say of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from jobs.specs.part_models import Strict

Share = Annotated[float, Field(ge=0, le=1)]
FourNumbers = Annotated[list[float], Field(min_length=4, max_length=4)]
FourPositive = Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=4, max_length=4)]


class Regions(Strict):
    """Makes four fields, sequences of an image's regions, that inputs and terms name like others:

    ``rois`` (x1, y1, x2, y2 in pixels), ``region_class`` (0 is background), ``region_targets`` (four
    corrections for each class) and ``region_weights`` (1 for the corrections of a region's own class, if that
    is an object's). In training they are a choice of candidates, anew each epoch; in evaluation all of the
    proposals.
    """

    image: str = Field(default="image", description="field of the images")
    boxes: str = Field(default="boxes", description="field of the annotated boxes")
    classes: str = Field(default="box_class", description="field of their classes")
    difficult: str | None = Field(default=None, description="field that marks boxes which are no examples")
    proposals: str | None = Field(
        default=None, description="field of the candidates; without it the whole image is the only one"
    )
    proposals_per_image: int = Field(default=2000, ge=1, description="how many of them, from the first on")
    regions_per_image: int | None = Field(
        default=64, ge=1, description="candidates of an image in a training minibatch; null: all of them"
    )
    foreground_share: float = Field(
        default=0.25, gt=0, le=1, description="share of these that are objects, at most"
    )
    foreground_overlap: float = Field(
        default=0.5, gt=0, le=1, description="a candidate that covers a box by as much (IoU) is an object"
    )
    background_overlap: list[Share] = Field(
        default=[0.0, 0.5],
        min_length=2,
        max_length=2,
        description="a candidate that covers no box by the second (IoU), and one by the first, is background",
    )
    add_annotated: bool = Field(
        default=True, description="whether annotated boxes are candidates, too, in training"
    )
    flip: Literal["none", "alternate", "random"] = Field(
        default="none",
        description="left and right are swapped, of images and boxes, in every other epoch or by chance",
    )
    target_means: FourNumbers = Field(
        default=[0.0, 0.0, 0.0, 0.0], description="subtracted from corrections before they are learned"
    )
    target_deviations: FourPositive = Field(
        default=[0.1, 0.1, 0.2, 0.2], description="what they are divided by then"
    )
    suppression_overlap: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="of detections of a class that cover each other by more (IoU) the best one stays",
    )
    least_score: Share = Field(default=0.0, description="detections below are left out")
    detections_per_image: int = Field(default=100, ge=1, description="the best ones of each image are kept")
