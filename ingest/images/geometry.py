"""Where an image lies in the rectangle that it is brought to."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.images.options import Fit

Size = tuple[int, int]
"""Height and width, in pixels."""


@dataclass(frozen=True)
class Placement:
    """stored = original * scale + offset, in pixels along each axis; the origin is the upper left corner.

    Where the fit cuts, ``left`` and ``top`` are not positive; where it leaves a border, not negative.
    """

    scale_x: float
    scale_y: float
    left: float
    top: float


def placed(original: Size, target: Size, fit: Fit) -> Placement:
    """How an image of ``original`` size is brought to ``target``.

    ``resize`` stretches each axis by itself. ``letterbox`` shows the whole image, ``crop`` fills the
    target and cuts what juts out; both keep the proportions (to the nearest pixel) and the middle.
    """
    height, width = target
    scales = height / original[0], width / original[1]
    if fit == "resize":
        return Placement(scales[1], scales[0], 0, 0)
    scale = min(scales) if fit == "letterbox" else max(scales)
    # Whole pixels, so that an edge of the image is an edge of pixels.
    scaled_height, scaled_width = (max(1, round(side * scale)) for side in original)
    return Placement(
        scaled_width / original[1],
        scaled_height / original[0],
        (width - scaled_width) // 2,
        (height - scaled_height) // 2,
    )
