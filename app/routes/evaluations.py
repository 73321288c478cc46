"""``/v1/jobs/{id}/evaluate``: what a job has trained, run on a data set, as a job."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.body import OptionalDocument
from app.examples import jobs as examples
from app.idempotency import Keyed, queued_once
from app.resources.jobs import Job
from app.routes.jobs import ACCEPTED, submitted_job, to_poll
from app.state import SettingsDep, StoreDep
from jobs.idempotency import Claim
from jobs.record import Record
from jobs.submission.evaluate import submit_evaluation

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
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> Job:
    def make(claim: Claim | None) -> Record:
        return submit_evaluation(job_id, document, store, settings, claim, caller.name)

    record = await queued_once(keyed, document, store, make)
    response.headers.update(to_poll(record.id))
    return await run_in_threadpool(submitted_job, record, settings.volume)
