"""What a trained detector says of images: every region's scores, and its box for each class."""

from collections import OrderedDict

import numpy as np

from trainer.detection.boxes import clipped, decoded
from trainer.evaluation import evaluated, shaped
from trainer.figures.classes import softmax


class Found:
    """Of one image: all regions that were looked at, before any is left out."""

    def __init__(self, row, scores, boxes):
        self.row = row
        """Row of the data set."""
        self.scores = scores
        """Probabilities (regions, classes + 1), background first."""
        self.boxes = boxes
        """Where each class would be, (regions, classes, 4): x1, y1, x2, y2 in pixels of the stored image."""


def outputs_of(spec):
    """Names of the outputs that say the regions' classes and corrections; None where no term trains it."""
    found = {term["target"]: term["output"] for term in spec["objective"] if isinstance(term["target"], str)}
    inputs = spec["inputs"]
    fields = {inputs.get(target, {}).get("field", target): output for target, output in found.items()}
    return fields.get("region_class"), fields.get("region_targets")


def findings(model, order, stop):
    """``Found`` of each row of ``order``; Stopped where ``stop`` is set.

    Nothing is found by a network that says no classes. One that says no corrections leaves boxes as proposed.
    """
    scores, corrections = outputs_of(model.spec)
    if scores is None:
        return
    dataset = model.network.dataset
    nodes = OrderedDict((name, model.network.nodes[name]) for name in (scores, corrections) if name)
    for rows, told in evaluated(model, nodes, order, stop):
        told = {name: shaped(values, nodes[name], len(rows)) for name, values in told.items()}
        for position, rois in enumerate(dataset.column("rois").of(rows, None)):
            said = told[corrections][position] if corrections else None
            yield Found(
                int(rows[position]),
                softmax(told[scores][position]),
                boxes_of(rois, said, told[scores][position].shape[1] - 1, dataset.regions),
            )


def boxes_of(rois, corrections, classes, regions):
    """Boxes (n, classes, 4) of regions (n, 4) and their corrections (n, 4 * (classes + 1)), or None."""
    if corrections is None:
        boxes = np.repeat(rois[:, None], classes, axis=1)
    else:
        of_classes = corrections.reshape(len(rois), classes + 1, 4)[:, 1:]
        rules = regions.rules
        boxes = decoded(rois, of_classes, rules["target_means"], rules["target_deviations"])
    return clipped(boxes, regions.width, regions.height)
