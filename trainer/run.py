"""One attempt at a job: restore, train, evaluate, and say in result.json how it ended."""

import errno
import os
import platform
import signal
import sys
import threading
import time
from collections import OrderedDict

import numpy as np

from trainer.bases import Bases
from trainer.bundle import write_bundle
from trainer.callbacks import BestAndPatience, Evaluation, LossSeries, Progress, Saving
from trainer.checkpoints import BrokenCheckpoint, Checkpoints, verify
from trainer.detection.regions import opened
from trainer.detection.report import detect
from trainer.engine import KERNELS, C, take_a_first_step, use_threads
from trainer.evaluation import Stopped, evaluate, held_out, settle_thresholds, write_report
from trainer.facts import Facts, jsonable
from trainer.features import features
from trainer.files import is_volume_fault, read_json, sync_all, write_json
from trainer.heads import heads
from trainer.keeping import keep
from trainer.layout import Volume
from trainer.loop import Diverged, train
from trainer.machine import settle
from trainer.minibatches import Order, permutation
from trainer.model import Model
from trainer.rerun import attempt_evaluation
from trainer.state import State, by_split

STOPPED = 75
"""Exit status (EX_TEMPFAIL) of an attempt that saved and left because it was asked to."""
VOLUME_UNUSABLE = 74
"""Exit status (EX_IOERR) of an attempt whose volume is full, read-only or out of reach."""


def runtime(folder, spec):
    """What the numbers depend on beside the spec; kept with each checkpoint. To be called first of all."""
    return {
        **settle(folder, spec, C.__version__),
        "python": platform.python_version(),
        "cntk": C.__version__,
        "numpy": np.__version__,
        "threads": spec["training"]["threads"],
        "machine": platform.machine(),
        "kernels": KERNELS,
    }


class BadData(Exception):
    """The data set cannot be read as its schema says."""


def run(folder, attempt, dataset_folder):
    """Run one attempt in the run directory ``folder``; the exit status of the process."""
    try:
        return run_on(folder, attempt, dataset_folder)
    except (OSError, RuntimeError) as error:
        if folder.spec.exists() and not is_volume_fault(error):
            raise
        # Says nothing of the job, which another attempt can go on with.
        sys.stderr.write("%s\n" % error)
        return VOLUME_UNUSABLE


def run_on(folder, attempt, dataset_folder):
    """``run`` on a volume that can be used; its faults are raised."""
    spec = read_json(folder.spec)
    facts = Facts(folder.attempt(attempt).facts)
    found = runtime(folder, spec)
    facts("started", pid=os.getpid(), runtime=found)
    stop = threading.Event()
    # CNTK returns to the interpreter between minibatches; that is where the handler runs.
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    started = time.monotonic()
    state = State()
    attempt_it = attempt_evaluation if spec.get("evaluation") else attempt_training
    try:
        fitted = folder.schema if folder.schema.exists() else None
        dataset = open_dataset(spec, dataset_folder, fitted)
        summary = attempt_it(folder, spec, dataset, state, found, facts, stop)
    except Stopped:
        return STOPPED
    except (Diverged, FloatingPointError) as error:
        result = failure("diverged", str(error))
    except BadData as error:
        result = failure("bad_data", str(error))
    except BrokenCheckpoint as error:
        result = failure("checkpoint_broken", str(error))
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        if is_volume_fault(error):
            raise
        of_data = isinstance(error, OSError) and str(dataset_folder.path) in str(error.filename)
        # CNTK appends its C++ call stack, which helps nobody who wrote a spec.
        result = failure(
            "bad_data" if of_data else "trainer_error",
            str(error).split("[CALL STACK]")[0].strip() or repr(error),
        )
    else:
        if summary is None:
            return STOPPED
        result = summary
    if not folder.spec.exists():
        raise OSError(errno.EIO, "the run directory is gone: the volume is not there")
    result.update(
        step=state.step,
        samples=state.samples,
        epoch=state.epoch,
        best=state.best,
        seconds=time.monotonic() - started,
    )
    if folder.artifacts.is_dir():
        written = [path for path in folder.artifacts.iterdir() if path.is_file()]
        sync_all([*written, folder.artifacts])
    write_json(folder.result, jsonable(result))
    return 0 if result["outcome"] == "succeeded" else 1


def open_dataset(spec, folder, fitted):
    """The data set of a job, preprocessed as ``fitted`` says; BadData where it is not whole."""
    try:
        return opened(spec, folder, fitted)
    except (OSError, ValueError, KeyError) as error:
        if is_volume_fault(error):
            raise
        raise BadData("data set %s cannot be read: %s" % (folder.path.name, error)) from None


def failure(reason, detail):
    return {
        "outcome": "failed",
        "reason": reason,
        "detail": detail,
        "parameters_sha256": None,
        "losses": {},
        "metrics": {},
    }


def attempt_training(folder, spec, dataset, state, found, facts, stop):
    """The result of a finished training, or None where a stop was asked for before its end."""
    training = spec["training"]
    use_threads(training["threads"])
    bases = Bases(folder)
    cached = features(spec, dataset, bases, Volume(folder.path.parent.parent), facts, stop)
    model = Model(spec, dataset, bases, cached)
    rows, size = dataset.rows("train"), training["minibatch_size"]
    order = Order(rows, size, training["seed"], permutation(training))
    checkpoints = Checkpoints(folder, spec, model, found, facts)
    checkpoints.require_room()
    restore(folder, spec, model, state, checkpoints, facts)
    if state.epoch >= training["epochs"] or state.stopped_early:
        # Trained to the end before: only evaluation is left, and it may not come first.
        take_a_first_step()
    series = LossSeries(folder.losses, state.step)
    train(
        model,
        order,
        state,
        training["epochs"],
        [
            series,
            Evaluation(facts, model, held_out(dataset, "valid", spec)),
            BestAndPatience(facts, spec["watch"], training["early_stopping"]),
            Progress(facts, model, training["epochs"], len(order), state),
            Saving(checkpoints, series, spec["checkpoints"], training["epochs"], len(order), stop),
        ],
    )
    finished = state.epoch >= training["epochs"] or state.stopped_early
    if not finished:
        return None
    return conclude(folder, spec, dataset, model, state, found, stop)


def conclude(folder, spec, dataset, model, state, found, stop):
    """The result of a trained model, its artifacts written: test split, predictions, report, bundle."""
    evaluation = dict(state.evaluation)
    split, order = None, None
    for split in ("test", "valid", None):
        order = held_out(dataset, split, spec)
        if order is not None:
            break
    if split == "test":
        evaluation["test"] = model.objective.summary(model.evaluate(order), len(order))
    parts = heads(spec, dataset)
    valid = held_out(dataset, "valid", spec)
    settle_thresholds(model, parts, spec.get("decisions", ()), valid, stop)
    digest = model.digest()
    described = {"job": folder.path.name, "fingerprint": spec["fingerprint"], "parameters_sha256": digest}
    detections = detect(model, order, folder, stop)
    figures = {} if order is None else evaluate(model, parts, order, folder, stop, detections=detections)
    if detections is not None:
        told = evaluation[split]
        evaluation[split] = dict(told, metrics=dict(told["metrics"], **detections.metrics))
    keep(model, spec.get("keep"), order, folder, stop)
    rows = 0 if order is None else len(order)
    write_report(
        folder.artifacts,
        split,
        rows,
        figures,
        evaluation.get(split, {}),
        dataset=spec["dataset"],
        checkpoint="%s@%d" % (folder.path.name, state.samples),
        **described,
    )
    write_bundle(
        folder.artifacts, model, parts, dict(described, runtime=found, spec_version=spec["spec_version"])
    )
    return {
        "outcome": "succeeded",
        "reason": "early_stopped" if state.stopped_early else "completed",
        "detail": "",
        "parameters_sha256": digest,
        "losses": by_split(evaluation, "losses"),
        "metrics": by_split(evaluation, "metrics"),
        "thresholds": {head.name: head.thresholds for head in parts if head.thresholds is not None},
    }


def changed(before, now):
    """{name: [before, now]} of what the bits depend on and is not as it was when a checkpoint was written."""
    names = sorted(set(before) & set(now) - {"kernels"})
    return {name: [before[name], now[name]] for name in names if before[name] != now[name]}


def restore(folder, spec, model, state, checkpoints, facts):
    """Continue this job's newest whole checkpoint, else begin as ``start_from`` says, else afresh."""
    newest = checkpoints.newest_whole()
    if newest is None and spec["start_from"] is None:
        return
    checkpoint, origin = (newest[0], "checkpoint") if newest else (folder.start, "start")
    manifest = newest[1] if newest else verify(folder.start)
    if origin == "start" and spec["start_from"]["mode"] == "weights":
        model.load_weights(checkpoint.model)
    else:
        model.restore(checkpoint.model)
        state.__dict__.update(State.load(checkpoint.loop).__dict__)
        # A larger budget or patience reopens a run that had come to its end.
        state.stopped_early = state.stopped_early and origin == "checkpoint"
    facts(
        "restored",
        **OrderedDict(
            [
                ("step", state.step),
                ("samples", state.samples),
                ("epoch", state.epoch),
                ("from", origin),
                ("job", manifest["job"]),
                ("checkpoint", manifest["samples"]),
                ("runtime_changed", changed(manifest["runtime"], checkpoints.runtime)),
            ]
        ),
    )
