"""Evaluation of a trained network on a split of some data set: a job of its own kind."""

import time
from collections import OrderedDict

from trainer.bases import Bases
from trainer.checkpoints import verify
from trainer.detection.report import detect
from trainer.engine import take_a_first_step, use_threads
from trainer.evaluation import evaluate, held_out, settle_thresholds, write_report
from trainer.feeding import fed_to
from trainer.heads import heads
from trainer.keeping import keep
from trainer.model import Model
from trainer.parts.regions import NAMES
from trainer.state import State


class Course:
    """Reports how far an evaluation has come, a few times a second."""

    INTERVAL = 0.25

    def __init__(self, facts, state, rows):
        self.facts = facts
        self.state = state
        self.rows = rows
        self.begun = self.due = time.monotonic()

    def __call__(self, done):
        now = time.monotonic()
        if now < self.due and done < self.rows:
            return
        self.due = now + self.INTERVAL
        speed = done / (now - self.begun) if now > self.begun else None
        self.facts(
            "progress",
            epoch=self.state.epoch,
            step=self.state.step,
            samples=done,
            samples_per_second=speed,
            eta_s=(self.rows - done) / speed if speed else None,
        )


def attempt_evaluation(folder, spec, dataset, state, found, facts, stop):
    """The result of an evaluation, whose predictions and report are among the artifacts.

    ``spec["evaluation"]`` says the split and the thresholds; the rest is the spec of the job that
    trained the network, whose checkpoint lies under ``start``. Stopped where an end was asked for.
    """
    manifest = verify(folder.start)
    use_threads(spec["training"]["threads"])
    model = Model(spec, dataset, Bases(folder))
    model.load_weights(folder.start.model)
    state.__dict__.update(State.load(folder.start.loop).__dict__)
    state.evaluation = {}
    facts(
        "restored",
        step=state.step,
        samples=state.samples,
        epoch=state.epoch,
        job=manifest["job"],
        checkpoint=manifest["samples"],
        **{"from": "start"},
    )
    take_a_first_step()
    parts = heads(spec, dataset)
    asked = spec["evaluation"]
    decisions = spec.get("decisions", ())
    settle_thresholds(model, parts, decisions, None, stop)
    tuned = [decision["output"] for decision in decisions if decision["threshold"] == "tuned"]
    for head in parts:
        if head.output in tuned and head.name in asked["thresholds"]:
            head.decide(asked["thresholds"][head.name], "tuned")
    order = held_out(dataset, asked["split"], spec)
    facts("first_minibatch")
    course = Course(facts, state, len(order))
    detections = detect(model, order, folder, stop, course)
    figures = evaluate(model, parts, order, folder, stop, None if detections else course, detections)
    keep(model, spec.get("keep"), order, folder, stop)
    network = model.network
    read = [network.fields[variable] for variable in fed_to(network.fields, model.objective.report)]
    missing = [field for field in OrderedDict.fromkeys(read) if field not in dataset.fields]
    if any(field in NAMES for field in missing):
        # What regions say of themselves follows from what is annotated.
        missing = [field for field in missing if field not in NAMES] + dataset.regions.unannotated
    evaluation = {"losses": {}, "metrics": {}}
    if not missing:
        evaluation = model.objective.summary(model.evaluate(order), len(order))
        if detections is not None:
            evaluation["metrics"].update(detections.metrics)
    digest = model.digest()
    checkpoint = "%s@%d" % (manifest["job"], manifest["samples"])
    write_report(
        folder.artifacts,
        asked["split"],
        len(order),
        figures,
        evaluation,
        job=folder.path.name,
        checkpoint=checkpoint,
        dataset=spec["dataset"],
        fingerprint=spec["fingerprint"],
        parameters_sha256=digest,
        missing_fields=missing,
    )
    return {
        "outcome": "succeeded",
        "reason": "completed",
        "detail": "the data set lacks %s: predictions only" % ", ".join(missing) if missing else "",
        "parameters_sha256": digest,
        "losses": {} if missing else {asked["split"]: evaluation["losses"]},
        "metrics": {} if missing else {asked["split"]: evaluation["metrics"]},
        "thresholds": {head.name: head.thresholds for head in parts if head.thresholds is not None},
        "split": asked["split"],
        "rows": len(order),
        "checkpoint": checkpoint,
    }
