"""``/v1/jobs``: submit, read, list."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response, status
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from app import examples
from app.body import Document
from app.idempotency import Keyed
from app.resources.jobs import Job, JobPage, Progress, Validation
from app.search import FilterQuery, filters_of, order_of
from app.state import QueueDep, SettingsDep, StoreDep, VolumeDep
from jobs.edit import edit
from jobs.idempotency import Made
from jobs.journal import journal
from jobs.record import Record
from jobs.retry import submitted_spec
from jobs.search import search
from jobs.settings import Settings
from jobs.spec import normalise
from jobs.start import resolve_start
from jobs.store import Store
from jobs.submit import submit
from jobs.waiting import why
from trainer.layout import Volume, read_json
from trainer.parts.learners import call_of

router = APIRouter(prefix="/jobs", tags=["jobs"])

BODY = {
    "requestBody": {
        "required": True,
        "description": "The job's spec; GET /v1/parts lists what it may name.",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/JobSpec"},
                "examples": {
                    "train": {"summary": "Train a classifier", "value": examples.SPEC},
                    "recipe": {"summary": "Train by a recipe", "value": examples.RECIPE_SPEC},
                    "resume": {"summary": "Go on from a checkpoint", "value": examples.RESUME_SPEC},
                },
            }
        },
    }
}

PATCH_BODY = {
    "requestBody": {
        "required": True,
        "description": "A JSON merge patch (RFC 7396) of what may be changed.",
        "content": {
            media: {"schema": {"$ref": "#/components/schemas/JobEdit"}, "example": examples.JOB_EDIT}
            for media in ("application/merge-patch+json", "application/json")
        },
    }
}

NO_PROGRESS = dict.fromkeys(Progress.model_fields)
NOT_IN_LISTS = dict.fromkeys(("queue_position", "waiting_for", "spec"))


@router.post(
    "",
    summary="Submit a job, or validate its spec",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=None,
    responses={
        202: {"model": Job, "headers": {"Location": {"schema": {"type": "string"}}}},
        200: {"model": Validation, "description": "With validate_only: what the spec would become"},
    },
    openapi_extra=BODY,
)
async def create_job(
    document: Document,
    response: Response,
    store: StoreDep,
    queue: QueueDep,
    settings: SettingsDep,
    keyed: Keyed,
    validate_only: Annotated[bool, Query(description="check and estimate; create nothing")] = False,
) -> Job | Validation:
    if validate_only:
        response.status_code = status.HTTP_200_OK
        return await run_in_threadpool(validate, document, settings)
    asked = keyed.asked(document)
    async with keyed.once() as found:
        if isinstance(found, Made):
            found.require(asked)
            record = await run_in_threadpool(store.get, found.id)
        else:
            claim = found and found.of(asked, status.HTTP_202_ACCEPTED)
            record = await run_in_threadpool(submit, document, store, queue, settings, claim)
    response.headers["Location"] = f"/v1/jobs/{record.id}"
    return await run_in_threadpool(submitted_job, record, settings.volume)


@router.get("", summary="List jobs, newest first unless order_by says otherwise", response_model=JobPage)
def list_jobs(
    store: StoreDep,
    asked: FilterQuery,
    order_by: Annotated[
        str | None,
        Query(
            description="created_at, updated_at, finished_at, name, priority, metrics.<name> or "
            "losses.<name>; with a - before it downwards; -created_at if left out. Jobs without the value "
            "come last"
        ),
    ] = None,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
    page_token: Annotated[str | None, Query(description="next_page_token of the page before")] = None,
) -> JSONResponse:
    filters = filters_of(asked, store, "/query")
    page = search(store, filters, order_of(order_by, store), token=page_token, limit=page_size)
    now = store.now_ms()
    # As JobPage has it. A model of fifty jobs would take as long as all the rest.
    return JSONResponse(
        {"items": [shown(record, now) for record in page.records], "next_page_token": page.next_after}
    )


@router.get(
    "/{job_id}", summary="One job: state, progress, losses, timings, spec, result", response_model=Job
)
def read_job(job_id: str, store: StoreDep, volume: VolumeDep) -> JSONResponse:
    return JSONResponse(document_of(store.get(job_id), store, volume))


@router.patch(
    "/{job_id}",
    summary="Change a job's name, tags or priority",
    openapi_extra=PATCH_BODY,
)
async def edit_job(job_id: str, document: Document, store: StoreDep, volume: VolumeDep) -> Job:
    return await run_in_threadpool(edit_durably, job_id, document, store, volume)


def edit_durably(job_id: str, document: dict[str, Any], store: Store, volume: Volume) -> Job:
    record = edit(job_id, document, store, None)
    # The volume has it before the answer is given: Redis may be lost the moment after.
    journal(store, volume.job(record.id), record.id)
    return job_of(record, store, volume)


def validate(document: dict[str, Any], settings: Settings) -> Validation:
    """What ``submit`` would make of a spec, with the same refusals, and nothing made."""
    found = normalise(document, settings.volume, settings)
    resolve_start(found, settings.volume)
    return Validation(
        valid=True,
        spec=found.document,
        fingerprint=found.fingerprint,
        cntk_call=call_of(found.document["learner"]),
        estimate=found.estimate,
    )


def job_of(record: Record, store: Store, volume: Volume) -> Job:
    """A record and what lies on the volume of it."""
    return Job.model_validate(document_of(record, store, volume))


def document_of(record: Record, store: Store, volume: Volume) -> dict[str, Any]:
    """The same, as JSON has it."""
    run = volume.job(record.id)
    found = shown(record, store.now_ms())
    found["spec"] = read_json(run.spec) if run.spec.is_file() else None
    if (wait := why(record, store)) is not None:
        found["queue_position"] = wait.position
        found["waiting_for"] = {"reason": wait.reason, "detail": wait.detail}
    return found


def shown(record: Record, now_ms: int) -> dict[str, Any]:
    """A job as a list shows it, with every key that ``Job`` has."""
    found = record.public(now_ms) | NOT_IN_LISTS
    found["progress"] = NO_PROGRESS | found["progress"]
    if found["forked_from"]:
        found["forked_from"] |= {"patch": None, "diff": None}
    return found


def submitted_job(record: Record, volume: Volume) -> Job:
    """The job as it was when it was submitted, however far it has come since."""
    spec = submitted_spec(volume.job(record.id))
    found = shown(record.as_submitted(), record.created_at) | {"spec": spec}
    if spec:
        found |= {key: spec[key] for key in ("fingerprint", "name", "tags", "priority") if key in spec}
    return Job.model_validate(found)
