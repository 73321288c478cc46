"""``/v1/jobs/{id}/metrics``: the course of training, by epoch and by minibatch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.history import history
from app.resources.metrics import EpochPoint, Metrics, MinibatchLosses
from app.series import loss_series
from app.state import StoreDep, VolumeDep

router = APIRouter(prefix="/jobs/{job_id}", tags=["metrics"])


@router.get("/metrics", summary="Losses, metrics and learning rate by epoch; the loss by minibatch")
def read_metrics(
    job_id: str,
    store: StoreDep,
    volume: VolumeDep,
    points: Annotated[int, Query(ge=1, le=10_000, description="minibatch buckets at most")] = 500,
) -> Metrics:
    run = volume.job(store.get(job_id).id)
    return Metrics(
        job=job_id,
        epochs=epoch_points(history(store, volume, job_id)),
        minibatches=MinibatchLosses(**asdict(loss_series(run.losses, points))),
    )


def epoch_points(found: Iterable[Mapping[str, Any]]) -> list[EpochPoint]:
    """The epochs among a job's events, each once: a resumed attempt repeats those it lost."""
    by_number = {event["epoch"]: event for event in found if event["type"] == "epoch"}
    return [EpochPoint.model_validate(by_number[number]) for number in sorted(by_number)]
