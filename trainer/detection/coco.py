"""Detections as COCO has them: in pixels of the images as they were uploaded."""

from collections import OrderedDict

import numpy as np

from trainer.detection.boxes import clipped
from trainer.predictions import nine_digits

PLACEMENT = "placement"
"""The field that says how each image was brought to the size in which it is stored."""


DECIMALS = 3
"""Of a pixel: more is not in a box of 32 bits."""


class Original:
    """An image as it was uploaded, and how boxes of the stored one lie on it."""

    def __init__(self, row, name, width, height, scale=(1.0, 1.0), offset=(0.0, 0.0)):
        self.row = row
        self.name = name
        self.width = width
        self.height = height
        self.scale = np.tile(scale, 2)
        self.offset = np.tile(offset, 2)

    def boxes(self, stored):
        """Boxes (n, 4), float64, in its pixels, cut to it: stored = original * scale + offset."""
        there = (np.asarray(stored, dtype=np.float64) - self.offset) / self.scale
        return clipped(there, self.width, self.height).round(DECIMALS)


def originals(dataset, field, rows, names):
    """Row to ``Original``; ``names`` holds the names of images by row.

    Where the data set does not say how they were placed, images are as they are stored.
    """
    if PLACEMENT not in dataset.fields:
        height, width = dataset.fields[field]["shape"][1:]
        return {row: Original(row, names.get(row, ""), width, height) for row in rows}
    placements = dataset.column(PLACEMENT).read(rows).astype(np.float64)
    found = {}
    for row, (scale_x, scale_y, left, top, width, height) in zip(rows, placements):
        found[row] = Original(
            row, names.get(row, ""), int(width), int(height), (scale_x, scale_y), (left, top)
        )
    return found


def document(originals_, classes, found):
    """A COCO document: images, categories, and the detections as annotations that have scores.

    ``found`` has the ``Detections`` of each row. An image's id is its row, a category's the number of the
    class from 1 on. ``annotations`` alone is a list of results as COCO's tools load it.
    """
    annotations = []
    for row, said in found.items():
        boxes = originals_[row].boxes(said.boxes)
        for (x1, y1, x2, y2), number, score in zip(
            boxes.tolist(), said.classes.tolist(), said.scores.tolist()
        ):
            # Of what lies on the border around an image nothing is left.
            if x2 > x1 and y2 > y1:
                annotations.append(
                    OrderedDict(
                        [
                            ("id", len(annotations) + 1),
                            ("image_id", row),
                            ("category_id", number + 1),
                            ("bbox", [x1, y1, round(x2 - x1, DECIMALS), round(y2 - y1, DECIMALS)]),
                            ("area", round((x2 - x1) * (y2 - y1), DECIMALS)),
                            ("iscrowd", 0),
                            ("score", nine_digits(score)),
                        ]
                    )
                )
    return OrderedDict(
        [
            (
                "images",
                [
                    {"id": row, "file_name": one.name, "width": one.width, "height": one.height}
                    for row, one in originals_.items()
                ],
            ),
            ("categories", [{"id": k, "name": name} for k, name in enumerate(classes, 1)]),
            ("annotations", annotations),
        ]
    )
