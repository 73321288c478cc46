"""What is told of images beside predictions.jsonl: predictions with the images' names, the worst mistakes."""

import json
from collections import OrderedDict

import numpy as np

from trainer.figures.classes import softmax
from trainer.files import write_whole
from trainer.packing import packed
from trainer.predictions import LISTED_CLASSES, TOP_CLASSES, Lines, nine_digits

MISTAKES = 20
"""So many of each head, the most confident ones."""
LARGEST_SIDE = 256
"""Of an image kept for the sheet of mistakes, in pixels; a larger one loses whole lines and columns."""
UNKNOWN = "unknown"
"""The class of an image whose class is not known, as in CNTK's article on transfer learning."""


def field_of_images(spec, dataset):
    """The field that the network sees images in: with names first, else any of 1 or 3 channels; or None."""
    fields = [document["field"] for document in spec["inputs"].values()]
    there = [field for field in fields if field in dataset.fields]
    named = [field for field in there if dataset.fields[field].get("images")]
    like = [field for field in there if is_image(dataset.fields[field])]
    return next(iter(named + like), None)


def is_image(schema):
    shape = schema["shape"]
    return schema["kind"] == "dense" and not schema.get("sequence") and len(shape) == 3 and shape[0] in (1, 3)


class ImageReport:
    """Looks on while a split is evaluated: ``add`` for each minibatch, ``publish`` at the end."""

    def __init__(self, dataset, field, heads, rows, run):
        """``heads`` are those of the evaluation, of which the ones of classes count."""
        self.dataset = dataset
        self.field = field
        self.heads = heads
        self.run = run
        self.names = names(dataset, field, rows)
        self.lines = None
        self.worst = OrderedDict((head, []) for head in heads if head.kind == "classes")
        """Head to its most confident mistakes so far: (probability, row, true class, class said)."""

    def add(self, rows, pairs):
        """``pairs`` are outputs and targets as ``Outputs.of`` yields them."""
        for head, (output, target) in zip(self.heads, pairs):
            # Of what has a class a step, a row is no image of one class.
            if head.kind != "classes" or isinstance(output, list):
                continue
            probabilities = softmax(output)
            true = None if target is None else target.argmax(axis=1)
            if self.names:
                self.tell(head, rows, probabilities, true)
            if true is not None:
                self.look(head, rows, probabilities, output.argmax(axis=1), true)

    def tell(self, head, rows, probabilities, true):
        """A line a row, in the form of CNTK's article; where several heads tell, with its name."""
        if self.lines is None:
            self.lines = Lines(self.run.artifacts / "image_predictions.jsonl")
        shown = len(head.names) if len(head.names) <= LISTED_CLASSES else TOP_CLASSES
        for k, row in enumerate(rows):
            likeliest = np.argsort(-probabilities[k], kind="mergesort")[:shown]
            document = OrderedDict([] if len(self.worst) == 1 else [("head", head.name)])
            document["class"] = UNKNOWN if true is None else head.names[true[k]]
            document["predictions"] = OrderedDict(
                (head.names[c], nine_digits(probabilities[k, c])) for c in likeliest
            )
            document["image"] = self.names[row]
            self.lines.write(document)

    def look(self, head, rows, probabilities, said, true):
        """Keep what is among the most confident mistakes so far; of equals the first."""
        wrong = np.flatnonzero(said != true)
        new = [
            (nine_digits(probabilities[k, said[k]]), int(rows[k]), int(true[k]), int(said[k])) for k in wrong
        ]
        self.worst[head] = sorted(self.worst[head] + new, key=lambda mistake: -mistake[0])[:MISTAKES]

    def publish(self):
        """The files, each whole; what there is nothing to say of has none."""
        if self.lines is not None:
            self.lines.publish()
        found = [(head, mistake) for head, worst in self.worst.items() for mistake in worst]
        if found:
            write_whole(self.run.mistakes, packed(self.sheet(found)), durable=False)

    def sheet(self, found):
        """Arrays with an entry a mistake, by name; ``image`` is (mistakes, channels, height, width) bytes."""
        rows = np.array([row for _, (_, row, _, _) in found])
        return OrderedDict(
            [
                ("image", self.images(rows)),
                ("row", rows),
                ("name", np.array([self.names.get(row, "") for row in rows])),
                ("head", np.array([head.name for head, _ in found])),
                ("probability", np.array([probability for _, (probability, _, _, _) in found])),
                ("true", np.array([head.names[true] for head, (_, _, true, _) in found])),
                ("predicted", np.array([head.names[said] for head, (_, _, _, said) in found])),
            ]
        )

    def images(self, rows):
        """As the data set has them, as bytes; what is no bytes from the smallest number to the largest."""
        values = self.dataset.column(self.field).read(rows)
        if self.dataset.fields[self.field]["dtype"] != "uint8":
            span = values.max() - values.min()
            values = (values - values.min()) * (255 / (span if span > 0 else 1))
        step = -(-max(values.shape[2:]) // LARGEST_SIDE)
        return np.round(values[:, :, ::step, ::step]).astype(np.uint8)


def names(dataset, field, rows):
    """Row to the name of its image, as the upload had it; none where the data set knows none."""
    known = dataset.fields[field].get("images")
    if not known:
        return {}
    wanted = set(rows.tolist())
    with open(str(dataset.folder.file(known["names"])), encoding="utf-8") as lines:
        return {row: json.loads(line) for row, line in enumerate(lines) if row in wanted}
