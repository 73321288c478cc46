"""``/v1/datasets``: upload, list, read, delete."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep
from app.examples import files as examples
from app.idempotency import Keyed, KeyedRequest, upload_of
from app.middleware.conditional import IfMatch, model_tag, require_match
from app.paging import PageSize, Place
from app.resources.datasets import DatasetPage
from app.state import SettingsDep, StoreDep, VolumeDep
from app.upload import FORM_BODY, Form, receive
from ingest import store as datasets
from ingest.incoming import incoming_folder
from jobs import idempotency
from jobs.dataset import DatasetSchema, FieldSchema
from jobs.features import forget
from jobs.idempotency import Claim, Made
from jobs.settings import Settings
from jobs.store import Store
from jobs.volume import require_volume
from trainer.layout import Volume

router = APIRouter(prefix="/datasets", tags=["datasets"])

LISTED = 100
"""Entries of a list within a schema that GET of all data sets still shows."""
SCHEMA_EXAMPLE: dict[str, Any] = {"content": {"application/json": {"example": examples.DATASET}}}


@router.post(
    "",
    summary="Upload files as one data set",
    status_code=status.HTTP_201_CREATED,
    responses={
        201: {"headers": {"Location": {"schema": {"type": "string"}}}, **SCHEMA_EXAMPLE},
        200: {
            "model": DatasetSchema,
            "description": "The same content and options are there already",
            **SCHEMA_EXAMPLE,
        },
    },
    openapi_extra=FORM_BODY,
)
async def create_dataset(
    request: Request,
    response: Response,
    store: StoreDep,
    settings: SettingsDep,
    keyed: Keyed,
    caller: CallerDep,
) -> DatasetSchema:
    require_volume(settings.volume)
    async with keyed.once() as found:
        with incoming_folder(settings.volume, "upload-") as folder:
            form = await receive(request, folder, settings, settings.max_upload_bytes)
            made = await run_in_threadpool(ingest_once, form, keyed, found, store, settings, caller.name)
    schema, response.status_code = made
    response.headers["Location"] = f"/v1/datasets/{schema.id}"
    return schema


def ingest_once(
    form: Form,
    keyed: KeyedRequest,
    found: Claim | Made | None,
    store: Store,
    settings: Settings,
    owner: str | None,
) -> tuple[DatasetSchema, int]:
    """The data set of an upload, and the status that says whether it is new.

    Equal bytes and options are one data set anyway; the key keeps the first answer's status.
    """
    options = form.document()
    asked = keyed.asked(upload_of(form.files, options)) if found else {}
    if isinstance(found, Made):
        found.require(asked)
        return datasets.get(settings.volume, found.id), found.status
    schema, new = datasets.ingest(form.files, options, settings, owner)
    answer = status.HTTP_201_CREATED if new else status.HTTP_200_OK
    if found is not None:
        idempotency.settle(store, found.of(asked, answer), schema.id)
    return schema, answer


@router.get("", summary="List data sets, newest first; lists of more than 100 classes or elements left out")
def list_datasets(
    store: StoreDep,
    volume: VolumeDep,
    page_size: PageSize = 50,
    page_token: Place = None,
) -> DatasetPage:
    items, following = datasets.page(volume, store, page_token, page_size)
    return DatasetPage(items=[brief(schema) for schema in items], next_page_token=following)


@router.get("/{dataset_id}", summary="The schema of one data set", responses={200: SCHEMA_EXAMPLE})
def read_dataset(dataset_id: str, response: Response, volume: VolumeDep) -> DatasetSchema:
    found = datasets.get(volume, dataset_id)
    response.headers["ETag"] = model_tag(found)
    return found


@router.delete(
    "/{dataset_id}",
    summary="Delete a data set that no live job needs",
    status_code=status.HTTP_204_NO_CONTENT,
)
def delete_dataset(dataset_id: str, store: StoreDep, volume: VolumeDep, if_match: IfMatch = None) -> None:
    require_match(if_match, model_tag(datasets.get(volume, dataset_id)))
    remove(dataset_id, store, volume)


def remove(dataset_id: str, store: Store, volume: Volume) -> None:
    """Delete a data set while no job can be submitted that needs it."""
    datasets.get(volume, dataset_id)
    with store.deleting_dataset(dataset_id):
        datasets.remove(volume, dataset_id)
        forget(volume, dataset=dataset_id)


def brief(schema: DatasetSchema) -> DatasetSchema:
    """The schema without long lists, such as a vocabulary: reading one data set gives them."""

    def short(field: FieldSchema) -> FieldSchema:
        lists = ("classes", "histogram", "columns", "mean", "std", "fill")
        kept = {key: getattr(field, key) for key in lists}
        long = {key: None for key, found in kept.items() if isinstance(found, list) and len(found) > LISTED}
        if long or len(field.sources) > LISTED:
            return field.model_copy(update={**long, "sources": [], "standardized": None})
        return field

    return schema.model_copy(update={"fields": {name: short(f) for name, f in schema.fields.items()}})
