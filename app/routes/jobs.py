"""``/v1/jobs``: submit, read, list."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import caller_of
from app.body import Document, patch_body, spec_document
from app.examples import jobs as examples
from app.idempotency import IdempotencyKey, keyed_request
from app.middleware.conditional import IfMatch, believed_edits, job_tag, list_tag
from app.paging import PageSize, page_token
from app.quick import QuickRoute
from app.resources.jobs import Job, JobPage, Progress, Validation
from app.search import FilterQuery, filters_of, order_of
from app.specs import spec_bytes
from app.state import StoreDep, VolumeDep, state_of
from app.streams.longpoll import news_of
from jobs.edit import edit
from jobs.idempotency import Made
from jobs.journal import journal
from jobs.queries.search import search
from jobs.queries.waiting import Glance, why
from jobs.record import Record
from jobs.retry import submitted_spec
from jobs.settings import Settings
from jobs.states import State
from jobs.store import Store
from jobs.submission.judging import judged
from jobs.submission.submissions import Request as Submission
from jobs.submission.submit import prepare
from jobs.writing import document_bytes
from trainer.files import read_json
from trainer.layout import Volume
from trainer.parts.learners import call_of

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=QuickRoute)

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

PATCH_BODY = patch_body("JobEdit", examples.JOB_EDIT)
POLL_SECONDS = 1
"""How long somebody who asks again and again does well to wait; ``wait`` is better."""
ACCEPTED = {
    "headers": {
        "Location": {"schema": {"type": "string"}, "description": "the new job"},
        "Retry-After": {"schema": {"type": "integer"}, "description": "seconds"},
    }
}
SMALL_BYTES = 16 * 1024
NO_PROGRESS = dict.fromkeys(Progress.model_fields)
NOT_IN_LISTS = dict.fromkeys(("queue_position", "waiting_for", "spec"))


@router.post(
    "",
    summary="Submit a job, or validate its spec",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=None,
    responses={
        202: {"model": Job, **ACCEPTED},
        200: {"model": Validation, "description": "With validate_only: what the spec would become"},
    },
    openapi_extra=BODY,
)
async def create_job(
    request: Request,
    validate_only: Annotated[bool, Query(description="check and estimate; create nothing")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    here, caller = state_of(request), caller_of(request)
    store, settings = here["store"], here["settings"]
    keyed = keyed_request(request, store, idempotency_key)
    document = await spec_document(request)
    if validate_only:
        validation = await run_in_threadpool(validate, document, store, settings)
        return Response(validation.model_dump_json(), media_type="application/json")
    asked = keyed.asked(document)
    async with keyed.once() as found:
        if isinstance(found, Made):
            found.require(asked)
            record = await run_in_threadpool(store.get, found.id)
            job = await run_in_threadpool(as_submitted, record, settings.volume)
            return accepted(with_spec(job, document_bytes(job["spec"])), record.id)
        claim = found and found.of(asked, status.HTTP_202_ACCEPTED)
        prepared = None
        if takes_long(request, document):
            prepared = await run_in_threadpool(prepare, document, store, settings, claim, caller.name)
        made = await here["submitting"].submit(Submission(document, claim, caller.name, prepared))
    return accepted(with_spec(shown(made.record, made.record.created_at), made.spec), made.record.id)


def takes_long(request: Request, document: dict[str, Any]) -> bool:
    """Whether a spec is not checked in a millisecond, and those behind it should not wait for it."""
    length = request.headers.get("content-length", "")
    small = length.isdigit() and int(length) <= SMALL_BYTES
    return not small or any(key in document for key in ("start_from", "after", "recipe"))


def accepted(body: bytes, job_id: str) -> Response:
    return Response(body, status.HTTP_202_ACCEPTED, to_poll(job_id), media_type="application/json")


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
    page_size: PageSize = 50,
    page_token: Annotated[str | None, page_token(r"^[A-Za-z0-9_-]{1,4000}$")] = None,
) -> Response:
    filters = filters_of(asked, store, "/query")
    page = search(store, filters, order_of(order_by, store), token=page_token, limit=page_size)
    now = store.now_ms()
    # As JobPage has it. A model of fifty jobs would take as long as all the rest.
    items = [shown(record, now) for record in page.records]
    body = orjson.dumps({"items": items, "next_page_token": page.next_after})
    return Response(body, headers={"ETag": list_tag(page)}, media_type="application/json")


@router.get(
    "/{job_id}", summary="One job: state, progress, losses, timings, spec, result", response_model=Job
)
async def read_job(
    request: Request,
    job_id: str,
    wait: Annotated[
        float,
        Query(
            ge=0,
            le=60,
            description="seconds: the answer comes when the job has ended, or, with If-None-Match, when it "
            "has changed; at the latest then",
        ),
    ] = 0,
) -> Response:
    here = state_of(request)
    reading = here["reading"]
    if wait:
        await news_of(job_id, here["store"], here["hub"], request.headers.get("if-none-match"), wait)
    glance = await reading.glances.at(job_id)
    forked_from = {}
    if glance.record.forked_from:
        forked_from = await run_in_threadpool(origin, glance.record, here["settings"].volume)
    return job_response(glance, forked_from, await reading.specs.of(glance.record))


@router.patch(
    "/{job_id}",
    summary="Change a job's name, tags or priority",
    response_model=Job,
    openapi_extra=PATCH_BODY,
)
async def edit_job(
    job_id: str, document: Document, store: StoreDep, volume: VolumeDep, if_match: IfMatch = None
) -> Response:
    return await run_in_threadpool(edit_durably, job_id, document, store, volume, believed_edits(if_match))


def edit_durably(
    job_id: str, document: dict[str, Any], store: Store, volume: Volume, believed: list[int] | None
) -> Response:
    record = edit(job_id, document, store, believed)
    # The volume has it before the answer is given: Redis may be lost the moment after.
    journal(store, volume.job(record.id), record.id)
    glance = Glance(record, why(record, store), store.now_ms())
    return job_response(glance, origin(record, volume), spec_bytes(record.id, volume))


def job_response(glance: Glance, forked_from: dict[str, Any], spec: bytes) -> Response:
    """A job with its tag, as ``Job`` has it."""
    headers = {"ETag": job_tag(glance.record, glance.wait)}
    if glance.record.state is State.QUEUED:
        headers["Retry-After"] = str(POLL_SECONDS)
    body = with_spec(seen(glance) | forked_from, spec)
    return Response(body, headers=headers, media_type="application/json")


def with_spec(document: dict[str, Any], spec: bytes) -> bytes:
    """A job and its spec, which is JSON already and may be the larger part."""
    return orjson.dumps(document | {"spec": orjson.Fragment(spec)})


def to_poll(job_id: str) -> dict[str, str]:
    """The headers of a 202: where the job is, and when to look at it."""
    return {"Location": f"/v1/jobs/{job_id}", "Retry-After": str(POLL_SECONDS)}


def validate(document: dict[str, Any], store: Store, settings: Settings) -> Validation:
    """What ``submit`` would make of a spec, with the same refusals, and nothing made."""
    found, _ = judged(document, store, settings)
    return Validation(
        valid=True,
        spec=found.document,
        fingerprint=found.fingerprint,
        cntk_call=call_of(found.document["learner"]),
        estimate=found.estimate,
    )


def job_of(record: Record, store: Store, volume: Volume) -> Job:
    """A record and what lies on the volume of it."""
    spec = volume.job(record.id).spec
    document = read_json(spec) if spec.is_file() else None
    found = seen(Glance(record, why(record, store), store.now_ms()))
    return Job.model_validate({**found, **origin(record, volume), "spec": document})


def seen(glance: Glance) -> dict[str, Any]:
    """A job as whoever asks for it alone is shown it, but for its spec and its parent's."""
    found = shown(glance.record, glance.now_ms)
    if glance.wait is not None:
        found["queue_position"] = glance.wait.position
        found["waiting_for"] = {"reason": glance.wait.reason, "detail": glance.wait.detail}
    return found


def origin(record: Record, volume: Volume) -> dict[str, Any]:
    """Of a fork its parent, patch and diff; the volume has them."""
    fork = volume.job(record.id).fork
    return {"forked_from": read_json(fork)} if record.forked_from and fork.is_file() else {}


def shown(record: Record, now_ms: int) -> dict[str, Any]:
    """A job as a list shows it, with every key that ``Job`` has."""
    found = record.public(now_ms) | NOT_IN_LISTS
    found["progress"] = NO_PROGRESS | found["progress"]
    if found["forked_from"]:
        found["forked_from"] |= {"patch": None, "diff": None}
    return found


def submitted_job(record: Record, volume: Volume) -> Job:
    """The job as it was when it was submitted, however far it has come since."""
    return Job.model_validate(as_submitted(record, volume))


def as_submitted(record: Record, volume: Volume) -> dict[str, Any]:
    """The same, as ``Job`` has it."""
    spec = submitted_spec(volume.job(record.id))
    found = shown(record.as_submitted(), record.created_at) | origin(record, volume) | {"spec": spec}
    if spec:
        found |= {key: spec[key] for key in ("fingerprint", "name", "tags", "priority") if key in spec}
    return found
