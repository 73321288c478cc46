"""``POST /v1/jobs/{id}/fork``: another job like this one, but for what a patch says."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response, status
from pydantic import RootModel
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.body import OptionalDocument, patch_body
from app.examples import jobs as examples
from app.idempotency import Keyed, queued_once
from app.resources.jobs import Job
from app.routes.jobs import ACCEPTED, submitted_job, to_poll
from app.state import SettingsDep, StoreDep
from jobs.idempotency import Claim
from jobs.record import Record
from jobs.submission.fork import fork

router = APIRouter(tags=["jobs"])


class MergePatch(RootModel[dict[str, Any]]):
    """A JSON merge patch: what it names is replaced, what it makes null is taken away."""


@router.post(
    "/jobs/{job_id}/fork",
    summary="Submit a job with this one's spec, patched",
    status_code=status.HTTP_202_ACCEPTED,
    responses={202: ACCEPTED},
    openapi_extra=patch_body("MergePatch", examples.FORK_PATCH, required=False),
)
async def fork_job(
    job_id: str,
    document: OptionalDocument,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> Job:
    def make(claim: Claim | None) -> Record:
        return fork(job_id, document, store, settings, claim, caller.name)

    record = await queued_once(keyed, document, store, make)
    response.headers.update(to_poll(record.id))
    return await run_in_threadpool(submitted_job, record, settings.volume)
