"""The pictures that a job has among its artifacts, and what each is drawn from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from jobs.journal import read_events
from jobs.record import Kind
from trainer.layout import RunDirectory, read_json
from worker.confusion import confusion
from worker.curves import learning_curves
from worker.detection_pictures import detections, precision_recall
from worker.finish import read_result
from worker.mistakes import mistakes
from worker.pictures import load, pictures


@dataclass(frozen=True)
class Drawing:
    """A picture that a job may have."""

    what: str
    file: str
    draw: Callable[[RunDirectory, str], bytes | None]
    """A PNG from a run directory and a title; None where the job left nothing of the kind."""
    of: tuple[Kind, ...] = tuple(Kind)


def _curves(run: RunDirectory, title: str) -> bytes | None:
    best = (read_result(run) or {}).get("best") or {}
    return learning_curves(read_events(run, limit=sys.maxsize), title, best.get("epoch"))


def _kept(run: RunDirectory, title: str) -> bytes | None:
    """What the spec had the trainer keep to be seen, if anything."""
    return pictures(load(run.pictures), title) if run.pictures.is_file() else None


def _confusion(run: RunDirectory, title: str) -> bytes | None:
    return confusion(read_json(run.report), title) if run.report.is_file() else None


def _mistakes(run: RunDirectory, title: str) -> bytes | None:
    return mistakes(load(run.mistakes), title) if run.mistakes.is_file() else None


def _detections(run: RunDirectory, title: str) -> bytes | None:
    return detections(load(run.detections), "after", title) if run.detections.is_file() else None


def _detections_before(run: RunDirectory, title: str) -> bytes | None:
    return detections(load(run.detections), "before", title) if run.detections.is_file() else None


def _precision_recall(run: RunDirectory, title: str) -> bytes | None:
    return precision_recall(load(run.detections), title) if run.detections.is_file() else None


GALLERY = (
    Drawing("pictures", "pictures.png", _kept),
    Drawing("confusion matrix", "confusion.png", _confusion),
    Drawing("mistakes", "mistakes.png", _mistakes),
    Drawing("detections", "detections.png", _detections),
    Drawing("detections before suppression", "detections_before.png", _detections_before),
    Drawing("precision and recall", "precision_recall.png", _precision_recall),
    Drawing("learning curves", "curves.png", _curves, of=(Kind.TRAINING,)),
)
