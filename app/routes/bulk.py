"""``POST /v1/jobs/cancel``: the end of every job that a filter finds, or first a look at which they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from app.admission.access import Caller, CallerDep
from app.body import Document
from app.examples import jobs as examples
from app.resources.jobs import Cancelled
from app.search import JobFilter, filters_of
from app.state import StoreDep, VolumeDep
from jobs.errors import Conflict, Fault, Forbidden, InvalidInput, NotFound
from jobs.journal import journal
from jobs.queries.search import Filters, every
from jobs.specs.structure import parse_as
from jobs.states import TERMINAL, State
from jobs.store import Store
from trainer.layout import Volume

router = APIRouter(tags=["jobs"])

AT_ONCE = 1000
"""Jobs that one request ends; it says whether there are more."""
LIVE = [state for state in State if state not in TERMINAL]


class CancelRequest(JobFilter):
    """The jobs to cancel, by at least one filter: those that have not ended and are the caller's own."""

    preview: Annotated[bool, Field(strict=True, description="only say which jobs would be cancelled")]
    checkpoint: Literal["save"] | None = Field(
        default=None, description="save: after a last checkpoint, instead of at once"
    )


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/CancelRequest"},
                "example": examples.CANCEL_REQUEST,
            }
        },
    }
}


@router.post("/jobs/cancel", summary="Ask for the end of all jobs that a filter finds", openapi_extra=BODY)
async def cancel_jobs(document: Document, store: StoreDep, volume: VolumeDep, caller: CallerDep) -> Cancelled:
    return await run_in_threadpool(cancel_all, document, store, volume, caller)


def cancel_all(document: dict[str, Any], store: Store, volume: Volume, caller: Caller) -> Cancelled:
    """Cancel the newest ``AT_ONCE`` of the jobs that match and that the caller may change.

    InvalidInput with every fault, Forbidden where another's are asked for.
    """
    asked = parse_as(CancelRequest, document)
    if not set(document) - {"preview", "checkpoint"}:
        detail = f"name at least one filter; for every job 'status': {[state.value for state in LIVE]}"
        raise InvalidInput.of([Fault("", "no_filter", detail)])
    words = ", ".join(LIVE)
    faults = [
        Fault(f"/status/{place}", "ended", f"a job that is {state.value} has ended; name one of {words}")
        for place, state in enumerate(asked.status)
        if state in TERMINAL
    ]
    if faults:
        raise InvalidInput.of(faults)
    if not caller.admin:
        if asked.owner not in (None, caller.name):
            raise Forbidden(f"{caller.name} may cancel what is his own, not {asked.owner}'s")
        asked.owner = caller.name
    found = list(every(store, live_ones(filters_of(asked, store, ""))))
    chosen: Sequence[str] = found[:AT_ONCE]
    if not asked.preview:
        chosen = [job_id for job_id in chosen if _cancel(job_id, store, volume, save=bool(asked.checkpoint))]
    return Cancelled(matched=len(found), jobs=list(chosen), preview=asked.preview, more=len(found) > AT_ONCE)


def live_ones(filters: Filters) -> Filters:
    return filters if filters.statuses else replace(filters, statuses=LIVE)


def _cancel(job_id: str, store: Store, volume: Volume, *, save: bool) -> bool:
    """Whether the job could still be cancelled."""
    try:
        store.request_cancel(job_id, save=save)
    except (Conflict, NotFound):
        # It has ended since it was found.
        return False
    # The volume has it before the answer is given: Redis may be lost the moment after.
    journal(store, volume.job(job_id), job_id)
    return True
