"""``/v1/jobs/{id}/evaluate``: what a job has trained, run on a data set, as a job."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from starlette.concurrency import run_in_threadpool

from app import examples
from app.access import CallerDep
from app.body import OptionalDocument
from app.idempotency import Keyed
from app.jobs import ACCEPTED, submitted_job, to_poll
from app.resources.jobs import Job
from app.state import QueueDep, SettingsDep, StoreDep
from jobs.evaluate import submit_evaluation
from jobs.idempotency import Made

router = APIRouter(tags=["jobs"])

BODY = {
    "requestBody": {
        "required": False,
        "description": "What to run it on; without a body the job's own data set.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/EvaluationRequest"},
                "example": examples.EVALUATION_REQUEST,
            }
        },
    }
}


@router.post(
    "/jobs/{job_id}/evaluate",
    summary="Run a checkpoint of a job on a data set, as a job of its own",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: ACCEPTED},
    openapi_extra=BODY,
)
async def evaluate_job(
    job_id: str,
    document: OptionalDocument,
    response: Response,
    store: StoreDep,
    queue: QueueDep,
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> Job:
    asked = keyed.asked(document)
    async with keyed.once() as found:
        if isinstance(found, Made):
            found.require(asked)
            record = await run_in_threadpool(store.get, found.id)
        else:
            claim = found and found.of(asked, status.HTTP_202_ACCEPTED)
            record = await run_in_threadpool(
                submit_evaluation, job_id, document, store, queue, settings, claim, caller.name
            )
    response.headers.update(to_poll(record.id))
    return await run_in_threadpool(submitted_job, record, settings.volume)
