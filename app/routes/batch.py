"""``POST /v1/jobs/batch``: several jobs, all of them or none."""

from __future__ import annotations

from fastapi import APIRouter, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.body import Document
from app.examples import jobs as examples
from app.idempotency import Keyed
from app.resources.jobs import JobPage
from app.routes.jobs import submitted_job
from app.state import SettingsDep, StoreDep
from jobs.idempotency import Made
from jobs.submission.batch import submit_batch

router = APIRouter(tags=["jobs"])

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Batch"}, "example": examples.BATCH}
        },
    }
}


@router.post(
    "/jobs/batch",
    summary="Submit several jobs, all of them or none",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra=BODY,
)
async def create_jobs(
    document: Document,
    store: StoreDep,
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> JobPage:
    asked = keyed.asked(document)
    async with keyed.once() as found:
        if isinstance(found, Made):
            found.require(asked)
            records = [await run_in_threadpool(store.get, job) for job in found.id.split()]
        else:
            claim = found and found.of(asked, status.HTTP_202_ACCEPTED)
            records = await run_in_threadpool(submit_batch, document, store, settings, claim, caller.name)
    jobs = [await run_in_threadpool(submitted_job, record, settings.volume) for record in records]
    return JobPage(items=jobs, next_page_token=None)
