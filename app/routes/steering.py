"""``POST /v1/jobs/{id}/cancel|pause|resume|retry``: what may be asked of a job that is there."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from app.body import OptionalDocument
from app.examples import jobs as examples
from app.resources.jobs import Job
from app.routes.jobs import job_of
from app.state import QueueDep, SettingsDep, StoreDep, VolumeDep
from jobs import steer
from jobs.journal import journal_if_possible
from jobs.record import Record
from jobs.retry import retry
from jobs.store import Store
from trainer.layout import Volume

router = APIRouter(prefix="/jobs/{job_id}", tags=["jobs"])

RETRY_BODY = {
    "requestBody": {
        "required": False,
        "description": "Where to go on; without a body at the newest checkpoint, as before.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/RetryRequest"},
                "example": examples.RETRY_REQUEST,
            }
        },
    }
}


@router.post("/cancel", summary="Ask for a job's end; asking again changes nothing")
def cancel_job(
    job_id: str,
    store: StoreDep,
    volume: VolumeDep,
    checkpoint: Annotated[
        Literal["save"] | None, Query(description="save: after a last checkpoint, instead of at once")
    ] = None,
) -> Job:
    return _durable(store.request_cancel(job_id, save=checkpoint == "save"), store, volume)


@router.post("/pause", summary="Save a checkpoint and free the worker; asking again changes nothing")
def pause_job(job_id: str, store: StoreDep, volume: VolumeDep) -> Job:
    return _durable(steer.pause(job_id, store), store, volume)


@router.post("/resume", summary="Go on after a pause; asking again changes nothing")
def resume_job(job_id: str, store: StoreDep, queue: QueueDep, volume: VolumeDep) -> Job:
    return _durable(steer.resume(job_id, store, queue), store, volume)


def _durable(record: Record, store: Store, volume: Volume) -> Job:
    """The answer, once the volume has the request too, if it can be written: Redis may be lost then."""
    journal_if_possible(store, volume.job(record.id), record.id)
    return job_of(record, store, volume)


@router.post(
    "/retry",
    summary="Another attempt at a job that failed, from a checkpoint of one's choice",
    openapi_extra=RETRY_BODY,
)
async def retry_job(
    job_id: str, document: OptionalDocument, store: StoreDep, queue: QueueDep, settings: SettingsDep
) -> Job:
    record = await run_in_threadpool(retry, job_id, document, store, queue, settings)
    return await run_in_threadpool(_durable, record, store, settings.volume)
