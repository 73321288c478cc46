"""The pictures that a job has among its artifacts, and what each is drawn from.

``python -m worker.drawing.gallery RUN_DIRECTORY KIND TITLE`` draws those of a job of a kind.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jobs.journal import read_events
from jobs.record import Kind
from trainer.files import read_json, write_whole
from trainer.layout import RunDirectory
from worker.drawing.confusion import confusion
from worker.drawing.curves import learning_curves
from worker.drawing.detections import detections, precision_recall
from worker.drawing.mistakes import mistakes
from worker.drawing.values import load, pictures
from worker.finish import read_result

log = logging.getLogger("worker")


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


def draw_all(run: RunDirectory, kind: Kind, title: str) -> bool:
    """Draw what a job of this kind left something for; whether the volume took all of it.

    That one cannot be drawn is not the others' failure, and the next attempt would fare no better.
    """
    taken = True
    for drawing in GALLERY:
        if kind in drawing.of:
            try:
                found = drawing.draw(run, title)
                if found is not None:
                    write_whole(run.artifacts / drawing.file, found)
            except Exception as error:
                taken = taken and not isinstance(error, OSError)
                log.warning("the %s of %s could not be drawn: %s", drawing.what, run.path.name, error)
    return taken


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    sys.exit(0 if draw_all(RunDirectory(Path(sys.argv[1])), Kind(sys.argv[2]), sys.argv[3]) else 1)
