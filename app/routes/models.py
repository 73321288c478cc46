"""``/v1/models``: bring a base model, list, read, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.body import spec_document
from app.examples import files as examples
from app.idempotency import Keyed, KeyedRequest, upload_of
from app.middleware.conditional import IfMatch, model_tag, require_match
from app.paging import PageSize, Place
from app.resources.models import ModelPage
from app.routes.jobs import ACCEPTED, POLL_SECONDS
from app.state import QueueDep, SettingsDep, StoreDep, VolumeDep
from app.upload import form_body, receive
from ingest.incoming import incoming_folder
from jobs import idempotency
from jobs.base_models import imports
from jobs.base_models.records import ModelRecord, load_record
from jobs.errors import Fault, InvalidInput
from jobs.idempotency import Claim, Made
from jobs.queue import TokenQueue
from jobs.settings import Settings
from jobs.store import Store
from jobs.volume import require_volume

router = APIRouter(prefix="/models", tags=["models"])

MODEL_EXAMPLE: dict[str, Any] = {"content": {"application/json": {"example": examples.MODEL}}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": form_body(
                "ModelOptions", examples.MODEL_FORM, "one part of this name: the model's file"
            ),
            "application/json": {
                "schema": {"$ref": "#/components/schemas/ModelOfJob"},
                "example": examples.MODEL_OF_JOB,
            },
        },
    }
}


@router.post(
    "",
    summary="Bring a base model: a file, or what a job has trained",
    status_code=status.HTTP_202_ACCEPTED,
    responses={
        202: {
            **ACCEPTED,
            "description": "A worker will open it, or is at it",
            **MODEL_EXAMPLE,
        },
        200: {
            "model": ModelRecord,
            "description": "It was brought before, with the same options; this is what became of it",
            **MODEL_EXAMPLE,
        },
    },
    openapi_extra=BODY,
)
async def create_model(
    request: Request,
    response: Response,
    store: StoreDep,
    queue: QueueDep,
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> ModelRecord:
    as_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    bring = bring_trained if as_json else bring_file
    require_volume(settings.volume)
    async with keyed.once() as found:
        with incoming_folder(settings.volume, "model-") as folder:
            asked, made = await bring(request, folder, keyed, settings)
            if isinstance(found, Made):
                found.require(asked)
                record = await run_in_threadpool(load_record, settings.volume, found.id)
                response.status_code = found.status
            else:
                made = made.model_copy(update={"owner": caller.name})
                record, response.status_code = await run_in_threadpool(
                    keep, made, folder, asked, found, store, queue, settings
                )
    response.headers["Location"] = f"/v1/models/{record.id}"
    if response.status_code == status.HTTP_202_ACCEPTED:
        response.headers["Retry-After"] = str(POLL_SECONDS)
    return record


async def bring_file(
    request: Request, folder: Path, keyed: KeyedRequest, settings: Settings
) -> tuple[dict[str, Any], ModelRecord]:
    """What is asked for, and the record of the file that came, which lies in ``folder``/model."""
    received = folder / "upload"
    received.mkdir()
    form = await receive(request, received, settings, settings.max_model_bytes)
    document = form.document()
    options = imports.parse_options(document)
    if len(form.files) != 1:
        detail = f"a model is one file, not {len(form.files)}"
        raise InvalidInput.of([Fault("/file", "too_many", detail)])
    file = form.files[0]
    asked = await run_in_threadpool(lambda: keyed.asked(upload_of(form.files, document)))
    place = folder / "model"
    place.mkdir()
    return asked, await run_in_threadpool(imports.uploaded, file.path, file.filename, options, place)


async def bring_trained(
    request: Request, folder: Path, keyed: KeyedRequest, settings: Settings
) -> tuple[dict[str, Any], ModelRecord]:
    """As ``bring_file``, of a request that names a job."""
    document = await spec_document(request)
    place = folder / "model"
    place.mkdir()
    asked = imports.parse_request(document)
    record = await run_in_threadpool(imports.of_job, asked, settings.volume, place)
    return keyed.asked(document), record


def keep(
    record: ModelRecord,
    folder: Path,
    asked: dict[str, Any],
    claim: Claim | None,
    store: Store,
    queue: TokenQueue,
    settings: Settings,
) -> tuple[ModelRecord, int]:
    """The model as it is now, and the status that says whether it is new."""
    kept = imports.keep(record, folder / "model", store, queue, settings.volume)
    answer = status.HTTP_202_ACCEPTED if kept.created_at == record.created_at else status.HTTP_200_OK
    if claim is not None:
        idempotency.settle(store, claim.of(asked, answer), kept.id)
    return kept, answer


@router.get("", summary="List base models, newest first, without their nodes")
def list_models(
    store: StoreDep,
    volume: VolumeDep,
    page_size: PageSize = 50,
    page_token: Place = None,
) -> ModelPage:
    items, following = imports.page(volume, store, page_token, page_size)
    return ModelPage(
        items=[record.model_copy(update={"nodes": []}) for record in items], next_page_token=following
    )


@router.get(
    "/{model_id}", summary="One base model: its nodes, shapes, parameters", responses={200: MODEL_EXAMPLE}
)
def read_model(model_id: str, response: Response, volume: VolumeDep) -> ModelRecord:
    found = load_record(volume, model_id)
    response.headers["ETag"] = model_tag(found)
    return found


@router.delete(
    "/{model_id}",
    summary="Delete a base model; jobs that were submitted with it keep what they need",
    status_code=status.HTTP_204_NO_CONTENT,
)
def delete_model(model_id: str, volume: VolumeDep, if_match: IfMatch = None) -> None:
    require_match(if_match, model_tag(load_record(volume, model_id)))
    with incoming_folder(volume, "remove-") as folder:
        imports.remove(volume, model_id, folder)
