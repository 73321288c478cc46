"""``/v1/jobs/{id}/metrics`` and ``/v1/metrics``: the course of training, of one job and of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.curves import MINIBATCHES, require_known, series_of, values_of
from app.resources.metrics import Comparison, Course, CourseOfJob, EpochPoint, Metrics, MinibatchLosses
from app.series import loss_series
from app.state import StoreDep, VolumeDep
from app.streams.history import history
from jobs.errors import Fault, InvalidInput, NotFound
from jobs.record import Record
from jobs.store import Store
from trainer.layout import Volume

router = APIRouter(tags=["metrics"])

MOST_JOBS = 50

Points = Annotated[
    int, Query(ge=1, le=10_000, description="points of a series, and minibatch buckets, at most")
]
SeriesNames = Annotated[
    tuple[str, ...],
    Query(
        description="only these: learning_rate, seconds, losses.<split>.<term>, metrics.<split>.<name>, "
        "minibatches"
    ),
]


@router.get(
    "/jobs/{job_id}/metrics", summary="Losses, metrics and learning rate by epoch; the loss by minibatch"
)
def read_metrics(
    job_id: str, store: StoreDep, volume: VolumeDep, points: Points = 500, series: SeriesNames = ()
) -> Metrics:
    (course,) = courses([store.get(job_id)], store, volume, points, series)
    return Metrics(job=job_id, **dict(course))


@router.get("/metrics", summary="The courses of several jobs, to compare")
def compare_metrics(
    store: StoreDep,
    volume: VolumeDep,
    job: Annotated[tuple[str, ...], Query(min_length=1, max_length=MOST_JOBS, description="ids")],
    points: Points = 500,
    series: SeriesNames = (),
) -> Comparison:
    records = compared(job, store)
    found = courses(records, store, volume, points, series)
    return Comparison(
        jobs=[
            CourseOfJob(job=record.id, name=record.name, status=record.state.value, **dict(course))
            for record, course in zip(records, found, strict=True)
        ]
    )


def compared(ids: Sequence[str], store: Store) -> list[Record]:
    """The records of these jobs; InvalidInput with each that is not there."""
    records, faults = [], []
    for job_id in dict.fromkeys(ids):
        try:
            records.append(store.get(job_id))
        except NotFound as error:
            faults.append(Fault("/query/job", "unknown_job", error.detail))
    if faults:
        raise InvalidInput.of(faults)
    return records


def courses(
    records: Sequence[Record], store: Store, volume: Volume, points: int, names: Sequence[str]
) -> list[Course]:
    """The course of each job; with ``names`` of those series alone, one of which every name must be."""
    epochs = [epoch_points(history(store, volume, record.id)) for record in records]
    values = [values_of(found) for found in epochs]
    require_known(names, {name for known in values for name in known})
    made = []
    for record, found, known in zip(records, epochs, values, strict=True):
        losses = None
        if not names or MINIBATCHES in names:
            losses = MinibatchLosses(**asdict(loss_series(volume.job(record.id).losses, points)))
        made.append(
            Course(
                epochs=[] if names else found,
                minibatches=losses,
                series=series_of(known, names, points) if names else None,
            )
        )
    return made


def epoch_points(found: Iterable[Mapping[str, Any]]) -> list[EpochPoint]:
    """The epochs among a job's events, each once: a resumed attempt repeats those it lost."""
    by_number = {event["epoch"]: event for event in found if event["type"] == "epoch"}
    return [EpochPoint.model_validate(by_number[number]) for number in sorted(by_number)]
