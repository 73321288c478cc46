"""COCO's own evaluation, with difficult objects as Pascal VOC has them."""

from __future__ import annotations

from typing import Any

from pycocotools.cocoeval import COCOeval


class Evaluation(COCOeval):
    """COCO's evaluation whose crowds overlap as other boxes do: as Pascal VOC's difficult objects."""

    def computeIoU(self, image: int, category: int) -> Any:  # noqa: N802  # its name
        crowds = [box for box in self._gts[image, category] if box["iscrowd"]]
        for box in crowds:
            box["iscrowd"] = 0
        try:
            return super().computeIoU(image, category)
        finally:
            for box in crowds:
                box["iscrowd"] = 1
