"""What a detector finds on the images of a split, how good that is, and what is drawn of it."""

import json
from collections import OrderedDict

from trainer.detection.average_precision import Truth, averages, means, outcomes
from trainer.detection.coco import document, originals
from trainer.detection.detections import candidates, detected
from trainer.detection.finding import findings, outputs_of
from trainer.detection.seen import Seen
from trainer.facts import jsonable
from trainer.files import write_whole
from trainer.image_reports import names
from trainer.packing import packed
from trainer.predictions import nine_digits

SETTINGS = ("suppression_overlap", "least_score", "detections_per_image")
AVERAGES = ("map_50", "map_50_95", "map_11_point", "map_all_point")


class DetectionReport:
    """The detections of a split, with their figures."""

    def __init__(self, name, figures, lines):
        self.name = name
        """That of the network's output which says the classes."""
        self.figures = figures
        """What report.json says."""
        self.lines = lines
        """Row to what predictions.jsonl says of it."""

    @property
    def metrics(self):
        """The means of average precision that are known, by name."""
        return OrderedDict(
            (name, self.figures[name]) for name in AVERAGES if self.figures.get(name) is not None
        )


def detect(model, order, run, stop, progress=None):
    """Write detections.json and detections.npz of the rows of ``order``; a ``DetectionReport``.

    None where the network finds no objects, or there are no rows (``order`` is None). Stopped where ``stop``
    is set; ``progress(rows so far)`` is called behind each image.
    """
    dataset = model.network.dataset
    output = outputs_of(model.spec)[0] if dataset.regions is not None else None
    if output is None or order is None:
        return None
    rules, classes = dataset.regions.rules, dataset.regions.classes
    rows = [int(row) for row in order.rows]
    images = originals(dataset, rules["image"], rows, names(dataset, rules["image"], order.rows))
    seen = Seen(rows, classes)
    found = OrderedDict()
    for done, one in enumerate(findings(model, order, stop), 1):
        said = candidates(one, rules["least_score"])
        found[one.row] = detected(
            said, len(classes), rules["suppression_overlap"], rules["detections_per_image"]
        )
        seen.add(one.row, said, found[one.row])
        if progress is not None:
            progress(done)
    truths = {row: truth_of(dataset.regions, row) for row in rows} if dataset.regions.annotated else None
    made = None if truths is None else outcomes([(found[row], truths[row]) for row in rows], len(classes))
    run.artifacts.mkdir(exist_ok=True)
    told = json.dumps(document(images, classes, found), allow_nan=False)
    write_whole(run.artifacts / "detections.json", told.encode("utf-8") + b"\n", durable=False)
    arrays = seen.arrays(dataset.column(rules["image"]), images, truths, made)
    write_whole(run.detections, packed(arrays), durable=False)
    told = {row: line(images[row], found[row], truths and truths[row], classes) for row in rows}
    return DetectionReport(output, figures(rules, output, found, truths, made, classes), told)


def truth_of(regions, row):
    """What is annotated on the image of a row."""
    boxes, classes, difficult = regions.objects(row)
    return Truth(boxes, classes - 1, difficult)


def figures(rules, output, found, truths, made, classes):
    """What report.json says of detections by row; ``made`` are their outcomes by class."""
    told = OrderedDict([("kind", "detections"), ("output", output), ("target", rules["boxes"])])
    told["settings"] = {name: rules[name] for name in SETTINGS}
    told["images"] = len(found)
    told["detections"] = sum(len(said) for said in found.values())
    if truths is None:
        told["detail"] = "the data set lacks the boxes: predictions only"
        return told
    of_classes = [averages(one) for one in made]
    told["objects"] = sum(one["objects"] for one in of_classes)
    told["difficult"] = sum(int(truth.difficult.sum()) for truth in truths.values())
    told.update(means(of_classes))
    told["classes"] = [
        OrderedDict([("name", name)] + list(one.items())) for name, one in zip(classes, of_classes)
    ]
    return jsonable(told)


def line(image, said, truth, classes):
    """What predictions.jsonl says of an image: boxes in pixels of the image as it was uploaded."""
    told = OrderedDict()
    if image.name:
        told["image"] = image.name
    told["predicted"] = [
        OrderedDict([("class", classes[number]), ("score", nine_digits(score)), ("box", box)])
        for number, score, box in zip(said.classes, said.scores.tolist(), image.boxes(said.boxes).tolist())
    ]
    if truth is not None:
        told["true"] = [
            OrderedDict([("class", classes[number]), ("box", box), ("difficult", difficult)])
            for number, box, difficult in zip(
                truth.classes, image.boxes(truth.boxes).tolist(), truth.difficult.tolist()
            )
        ]
    return told
