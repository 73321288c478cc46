"""``POST /v1/jobs/{id}/fork``: another job like this one, but for what a patch says."""

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
from jobs.fork import fork
from jobs.idempotency import Made

router = APIRouter(tags=["jobs"])

BODY = {
    "requestBody": {
        "required": False,
        "description": "A JSON merge patch (RFC 7396) of the job's spec; without a body the same again.",
        "content": {
            media: {"schema": {"type": "object"}, "example": examples.FORK_PATCH}
            for media in ("application/merge-patch+json", "application/json")
        },
    }
}


@router.post(
    "/jobs/{job_id}/fork",
    summary="Submit a job with this one's spec, patched",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: ACCEPTED},
    openapi_extra=BODY,
)
async def fork_job(
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
                fork, job_id, document, store, queue, settings, claim, caller.name
            )
    response.headers.update(to_poll(record.id))
    return await run_in_threadpool(submitted_job, record, settings.volume)
