"""``/v1/jobs``: submit, read, list."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response, status
from starlette.concurrency import run_in_threadpool

from app import examples
from app.access import CallerDep
from app.body import Document
from app.idempotency import Keyed
from app.resources.jobs import Job, JobPage, Validation
from app.state import QueueDep, SettingsDep, StoreDep, VolumeDep
from jobs.errors import Fault, InvalidInput
from jobs.idempotency import Made
from jobs.ids import is_job_id
from jobs.record import Kind, Record
from jobs.retry import submitted_spec
from jobs.settings import Settings
from jobs.spec import normalise
from jobs.start import resolve_start
from jobs.states import State
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
    caller: CallerDep,
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
            record = await run_in_threadpool(submit, document, store, queue, settings, claim, caller.name)
    response.headers["Location"] = f"/v1/jobs/{record.id}"
    return await run_in_threadpool(submitted_job, record, settings.volume)


@router.get("", summary="List jobs, newest first")
def list_jobs(
    store: StoreDep,
    status: State | None = None,
    kind: Kind | None = None,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
    page_token: Annotated[str | None, Query(description="next_page_token of the page before")] = None,
) -> JobPage:
    if page_token is not None and not is_job_id(page_token):
        detail = f"{page_token!r} is no next_page_token of an earlier answer"
        raise InvalidInput.of([Fault("/query/page_token", "page_token", detail)])
    page = store.page(status=status, kind=kind, after=page_token, limit=page_size)
    now = store.now_ms()
    items = [Job.model_validate(record.public(now)) for record in page.records]
    return JobPage(items=items, next_page_token=page.next_after)


@router.get("/{job_id}", summary="One job: state, progress, losses, timings, spec, result")
def read_job(job_id: str, store: StoreDep, volume: VolumeDep) -> Job:
    return job_of(store.get(job_id), store, volume)


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
    """A record and the spec that lies on the volume."""
    spec = volume.job(record.id).spec
    document = read_json(spec) if spec.is_file() else None
    shown: dict[str, Any] = {**record.public(store.now_ms()), "spec": document}
    if (wait := why(record, store)) is not None:
        shown["queue_position"] = wait.position
        shown["waiting_for"] = {"reason": wait.reason, "detail": wait.detail}
    return Job.model_validate(shown)


def submitted_job(record: Record, volume: Volume) -> Job:
    """The job as it was when it was submitted, however far it has come since."""
    spec = submitted_spec(volume.job(record.id))
    shown = record.as_submitted().public(record.created_at) | {"spec": spec}
    return Job.model_validate(shown | ({"fingerprint": spec["fingerprint"]} if spec else {}))
