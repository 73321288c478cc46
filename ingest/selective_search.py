"""Selective search (Uijlings et al., 2013) as OpenCV's contributed modules have it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from cv2.ximgproc import segmentation

SPACES = {"lab": cv2.COLOR_RGB2Lab, "hsv": cv2.COLOR_RGB2HSV}
"""Colour spaces that an image is segmented in."""

# Over images this small threads gain nothing, and ingestion has its cores for images side by side.
cv2.setNumThreads(1)


def segmented(
    image: npt.NDArray[np.uint8],
    side: int,
    scales: Sequence[float],
    min_pixels: int,
    smoothing: float,
) -> npt.NDArray[np.float64]:
    """The boxes (n, 4) x1, y1, x2, y2 of all segments and of all that they are merged to, each once.

    ``image`` (height, width, 3) is shrunk or stretched so that its longer side has ``side`` pixels; the boxes
    are in pixels of ``image``. It is segmented in each colour space at each of ``scales`` (the k of
    Felzenszwalb and Huttenlocher: higher makes larger segments), after a Gaussian of deviation ``smoothing``.
    Equal images have equal boxes in equal order.
    """
    height, width = image.shape[:2]
    ratio = side / max(height, width)
    size = (max(round(width * ratio), 1), max(round(height * ratio), 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    search = segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(small)
    for space in SPACES.values():
        search.addImage(cv2.cvtColor(small, space))
    for scale in scales:
        search.addGraphSegmentation(segmentation.createGraphSegmentation(smoothing, scale, min_pixels))
    colour, texture, extent, fill = (
        segmentation.createSelectiveSearchSegmentationStrategyColor,
        segmentation.createSelectiveSearchSegmentationStrategyTexture,
        segmentation.createSelectiveSearchSegmentationStrategySize,
        segmentation.createSelectiveSearchSegmentationStrategyFill,
    )
    combined = segmentation.createSelectiveSearchSegmentationStrategyMultiple
    search.addStrategy(combined(colour(), fill(), texture(), extent()))
    search.addStrategy(combined(fill(), texture(), extent()))
    # OpenCV tells them in an order that it draws by chance.
    found = np.unique(np.array(search.process(), dtype=np.float64).reshape(-1, 4), axis=0)
    corners = np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1)
    scaled: npt.NDArray[np.float64] = corners * np.tile([width / size[0], height / size[1]], 2)
    return scaled
