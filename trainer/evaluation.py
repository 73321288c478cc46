"""What a model makes of a whole split: predictions.jsonl and report.json, and tuned thresholds."""

import time
from collections import OrderedDict

import numpy as np

from trainer import thresholds
from trainer.engine import C, axis_of
from trainer.facts import jsonable
from trainer.feeding import Feed
from trainer.figures.labels import sigmoid
from trainer.files import write_json
from trainer.image_reports import ImageReport, field_of_images
from trainer.minibatches import Order
from trainer.objective import target_node
from trainer.paging import expected
from trainer.predictions import Predictions, documents

TUNING_SPLIT = "valid"


class Stopped(Exception):
    """An end was asked for in the middle of an evaluation, of which nothing is kept."""


def held_out(dataset, split, spec):
    """The rows of a split in their own order, or None where the data set has no such split."""
    rows = dataset.rows(split)
    if rows is None or not len(rows):
        return None
    return Order(rows, together(dataset, spec))


def together(dataset, spec):
    """How many rows are evaluated at a time."""
    size = spec["training"]["minibatch_size"]
    # Activations of a base model may be tens of megabytes a row.
    if any(layer["type"] == "pretrained" for layer in spec["network"]):
        return size
    return dataset.evaluated_together(size)


def evaluated(model, nodes, order, stop):
    """Rows, and what CNTK answers for each of ``nodes`` (by any key), minibatch by minibatch.

    Stopped where ``stop`` is set.
    """
    # What is an input's variable can only be evaluated by way of an alias.
    aliases = OrderedDict((key, C.alias(node)) for key, node in nodes.items())
    function = C.combine(list(aliases.values()))
    feed = Feed(model.network.columns, function)
    for rows in expected(order.minibatches(), feed.columns):
        if stop.is_set():
            raise Stopped()
        found = function.eval(feed.values(feed.read(rows)), device=model.device)
        if len(aliases) == 1:
            found = {node.output: found for node in aliases.values()}
        yield rows, {key: found[node.output] for key, node in aliases.items()}


class Outputs:
    """The values of heads' outputs and known targets, minibatch by minibatch."""

    def __init__(self, model, heads, stop):
        self.model = model
        self.heads = heads
        self.stop = stop
        """Set where an end is asked for."""
        self.nodes = OrderedDict()
        for head in heads:
            if head.output not in self.nodes:
                self.nodes[head.output] = model.network.target(head.output)
            if head.known:
                self.nodes[head] = target_node(model.network, {"target": head.target})

    def of(self, order):
        """Rows, and for each head (output, target or None): (rows, elements) arrays, of sequences a list
        of (steps, elements) arrays."""
        if not self.nodes:
            return
        for rows, found in evaluated(self.model, self.nodes, order, self.stop):
            told = {key: shaped(found[key], node, len(rows)) for key, node in self.nodes.items()}
            yield rows, [(told[head.output], told.get(head)) for head in self.heads]


def shaped(values, node, rows):
    """What CNTK answers for a node, an example a line: an array, of sequences one for each row."""
    size = int(np.prod(node.shape, dtype=np.int64))
    if axis_of(node) is None:
        return values.reshape(rows, size)
    # Of sequences of equal lengths CNTK makes one array, else a list.
    return [np.reshape(each, (-1, size)) for each in values]


def flat(values):
    """Examples or steps as lines of one array, and how many steps each row has (None: not sequences)."""
    if isinstance(values, list):
        return np.concatenate(values), [len(each) for each in values]
    return values, None


def grouped(told, lengths):
    """One document a row; of a sequence the list of its steps' documents."""
    told = list(told)
    if lengths is None:
        return told
    ends = np.cumsum(lengths)
    return [told[end - length : end] for end, length in zip(ends, lengths)]


def settle_thresholds(model, heads, decisions, order, stop):
    """Give heads of labels the thresholds that were decided on, tuned on ``order`` where told so.

    Without an order (None) those to be tuned stay as they are.
    """
    decided = {decision["output"]: decision for decision in decisions}
    labels = [head for head in heads if head.kind == "labels" and head.output in decided]
    for head in labels:
        if decided[head.output]["threshold"] != "tuned":
            head.decide([decided[head.output]["threshold"]] * len(head.names), "given")
    tuning = [head for head in labels if decided[head.output]["threshold"] == "tuned"]
    if not tuning or order is None:
        return
    seen = [([], []) for _ in tuning]
    for _rows, pairs in Outputs(model, tuning, stop).of(order):
        for (probabilities, truths), (output, target) in zip(seen, pairs):
            probabilities.append(sigmoid(flat(output)[0]))
            truths.append(flat(target)[0] > 0.5)
    for head, (probabilities, truths) in zip(tuning, seen):
        rule = decided[head.output]
        found = thresholds.tuned(
            np.concatenate(probabilities), np.concatenate(truths), rule["by"], rule["per_label"]
        )
        head.decide(found, "tuned")


def evaluate(model, heads, order, run, stop, progress=None, detections=None):
    """Write what is said of the rows of ``order``; the figures of each head by name.

    ``progress(rows so far)`` is called behind each minibatch. ``detections``
    (``trainer.detection.report.DetectionReport``) are told as a head of their own.
    """
    run.artifacts.mkdir(exist_ok=True)
    predictions = Predictions(run.artifacts / "predictions.jsonl")
    dataset = model.network.dataset
    field = field_of_images(model.spec, dataset)
    of_images = None if field is None else ImageReport(dataset, field, heads, order.rows, run)
    figures = [head.figures() for head in heads]
    done = 0
    answers = Outputs(model, heads, stop).of(order)
    if detections is not None and not heads:
        answers = ((rows, []) for rows in order.minibatches())
    for rows, pairs in answers:
        told = []
        for head, figure, (output, target) in zip(heads, figures, pairs):
            output, lengths = flat(output)
            target, _ = flat(target)
            told.append((head.name, grouped(documents(head, output, target), lengths)))
            if target is not None:
                figure.add(output, target)
        if detections is not None:
            told.append((detections.name, [detections.lines[int(row)] for row in rows]))
        predictions.add(rows, told)
        if of_images is not None:
            of_images.add(rows, pairs)
        done += len(rows)
        if progress is not None:
            progress(done)
    predictions.publish()
    if of_images is not None:
        of_images.publish()
    found = OrderedDict()
    for head, figure in zip(heads, figures):
        found[head.name] = {"kind": head.kind, "output": head.output, "target": head.target}
        if head.kind == "labels":
            found[head.name]["thresholds"] = head.thresholds_from
        if head.known:
            found[head.name].update(figure.report())
        else:
            found[head.name]["detail"] = "the data set lacks the target: predictions only"
    if detections is not None:
        found[detections.name] = detections.figures
    return found


def write_report(folder, split, rows, heads, evaluation, **more):
    """report.json. ``split`` None: there was nothing to evaluate, and the report says so."""
    document = dict(
        more,
        format=1,
        created_at=time.time(),
        split=split,
        rows=rows,
        heads=heads,
        losses=evaluation.get("losses", {}),
        metrics=evaluation.get("metrics", {}),
    )
    if split is None:
        document["detail"] = "the data set has neither a test nor a validation split: nothing was evaluated"
    folder.mkdir(exist_ok=True)
    write_json(folder / "report.json", jsonable(document), durable=False)
