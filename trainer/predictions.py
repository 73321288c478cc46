"""predictions.jsonl: what a model says of each row of a split, beside what is true."""

import json
import os

import numpy as np

from trainer.facts import jsonable
from trainer.figures.classes import softmax
from trainer.figures.labels import sigmoid
from trainer.figures.values import LISTED_ELEMENTS

LISTED_CLASSES = 100
TOP_CLASSES = 5
"""With more than ``LISTED_CLASSES`` classes only so many of the likeliest are told."""


class Lines:
    """One JSON object a line, written minibatch by minibatch; the file appears whole, by ``publish``."""

    def __init__(self, path):
        self.path = path
        self.aside = path.parent / (".writing-" + path.name)
        self.stream = open(str(self.aside), "w", encoding="utf-8")  # noqa: SIM115  # closed by publish

    def write(self, document):
        self.stream.write(line(document))

    def publish(self):
        self.stream.close()
        os.rename(str(self.aside), str(self.path))


class Predictions(Lines):
    """predictions.jsonl."""

    def add(self, rows, told):
        """Rows of the data set, and for each head its name and one document a row."""
        for position, row in enumerate(rows):
            document = {"row": int(row)}
            for name, documents in told:
                document[name] = documents[position]
            self.write(document)


encode = json.JSONEncoder(allow_nan=False).encode


def line(document):
    try:
        return encode(document) + "\n"
    except ValueError:
        # Of a network that has begun to diverge, numbers may be none: they become null.
        return encode(jsonable(document)) + "\n"


def documents(head, output, target):
    """What a head says of each example: ``output`` (n, k) and ``target`` (n, k), or None where unknown."""
    told = {"classes": of_classes, "labels": of_labels, "values": of_values}[head.kind]
    return told(head, output, target)


def nine_digits(probability):
    """What a score of 32 bits can tell of it: 9 digits. The digits behind them differ between processors."""
    return float("%.9g" % probability)


def of_classes(head, output, target):
    names = head.names
    probabilities = softmax(output)
    for k, said in enumerate(output.argmax(axis=1)):
        shown = range(len(names))
        if len(names) > LISTED_CLASSES:
            shown = np.argsort(-output[k], kind="mergesort")[:TOP_CLASSES]
        document = {
            "predicted": names[said],
            "probabilities": {names[c]: nine_digits(probabilities[k, c]) for c in shown},
        }
        if target is not None:
            document["true"] = names[int(target[k].argmax())]
        yield document


def of_labels(head, output, target):
    names = head.names
    probabilities = sigmoid(output)
    for k, said in enumerate(probabilities > np.asarray(head.thresholds)):
        document = {
            "predicted": [names[c] for c in np.flatnonzero(said)],
            "probabilities": {name: nine_digits(p) for name, p in zip(names, probabilities[k])},
        }
        if target is not None:
            document["true"] = [names[c] for c in np.flatnonzero(target[k] > 0.5)]
        yield document


def of_values(head, output, target):
    """A number, or a list of them in the order of the elements; of very many only how far off they are."""
    if len(head.names) > LISTED_ELEMENTS:
        for k in range(len(output)):
            document = {"elements": len(head.names)}
            if target is not None:
                residual = output[k].astype(np.float64) - target[k]
                document["rmse"] = float(np.sqrt(np.mean(residual * residual)))
                document["max_error"] = float(np.abs(residual).max())
            yield document
        return
    for k in range(len(output)):
        document = {"predicted": number_or_list(output[k])}
        if target is not None:
            document["true"] = number_or_list(target[k])
        yield document


def number_or_list(values):
    return float(values[0]) if len(values) == 1 else [float(value) for value in values]
