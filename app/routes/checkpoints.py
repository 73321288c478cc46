"""``/v1/jobs/{id}/checkpoints`` and ``/v1/checkpoints/{id}``: list, read, pin, download."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from app.body import Document, patch_body
from app.files import DOWNLOAD, download
from app.middleware.conditional import IfMatch, model_tag, require_match
from app.ranges import FileContent, RangeDep
from app.resources.checkpoints import Checkpoint, CheckpointList
from app.resources.files import File
from app.state import StoreDep, VolumeDep
from jobs import checkpoints
from jobs.errors import NotFound
from jobs.specs.part_models import Strict
from jobs.specs.structure import parse_as
from jobs.store import Store
from trainer.files import read_json
from trainer.layout import RunDirectory, Volume

router = APIRouter(tags=["checkpoints"])


class CheckpointEdit(Strict):
    """A JSON merge patch (RFC 7396)."""

    pinned: bool | None = None


PATCH_BODY = patch_body("CheckpointEdit", {"pinned": True})


@router.get("/jobs/{job_id}/checkpoints", summary="The checkpoints of a job, oldest first")
def list_checkpoints(job_id: str, store: StoreDep, volume: VolumeDep) -> CheckpointList:
    run = volume.job(store.get(job_id).id)
    return CheckpointList(items=[resource(run, found) for found in checkpoints.list_checkpoints(run)])


@router.get("/checkpoints/{checkpoint_id}", summary="One checkpoint, by <job>@<samples>")
def read_checkpoint(checkpoint_id: str, response: Response, store: StoreDep, volume: VolumeDep) -> Checkpoint:
    run, samples = place_of(checkpoint_id, store, volume)
    return tagged(resource(run, checkpoints.get_checkpoint(run, samples)), response)


@router.patch(
    "/checkpoints/{checkpoint_id}",
    summary="Keep a checkpoint, whatever retention says, or leave it to retention again",
    openapi_extra=PATCH_BODY,
)
async def edit_checkpoint(
    checkpoint_id: str,
    document: Document,
    response: Response,
    store: StoreDep,
    volume: VolumeDep,
    if_match: IfMatch = None,
) -> Checkpoint:
    found = await run_in_threadpool(edit, checkpoint_id, document, store, volume, if_match)
    return tagged(found, response)


def edit(
    checkpoint_id: str, document: dict[str, Any], store: Store, volume: Volume, if_match: str | None
) -> Checkpoint:
    """InvalidInput with every fault, NotFound, PreconditionFailed where it is not as ``if_match`` says."""
    asked = parse_as(CheckpointEdit, document)
    run, samples = place_of(checkpoint_id, store, volume)
    found = resource(run, checkpoints.get_checkpoint(run, samples))
    require_match(if_match, model_tag(found))
    if "pinned" not in asked.model_fields_set:
        return found
    return resource(run, (checkpoints.pin if asked.pinned else checkpoints.unpin)(run, samples))


def tagged(found: Checkpoint, response: Response) -> Checkpoint:
    response.headers["ETag"] = model_tag(found)
    return found


@router.put("/jobs/{job_id}/checkpoints/{samples}/pin", summary="Keep a checkpoint, whatever retention says")
def pin_checkpoint(job_id: str, samples: int, store: StoreDep, volume: VolumeDep) -> Checkpoint:
    run = volume.job(store.get(job_id).id)
    return resource(run, checkpoints.pin(run, samples))


@router.delete("/jobs/{job_id}/checkpoints/{samples}/pin", summary="Leave a checkpoint to retention again")
def unpin_checkpoint(job_id: str, samples: int, store: StoreDep, volume: VolumeDep) -> Checkpoint:
    run = volume.job(store.get(job_id).id)
    return resource(run, checkpoints.unpin(run, samples))


@router.get(
    "/checkpoints/{checkpoint_id}/files/{name}",
    summary="Download one file of a checkpoint",
    status_code=200,
    response_class=FileContent,
    responses=DOWNLOAD,
)
def download_file(
    checkpoint_id: str, name: str, store: StoreDep, volume: VolumeDep, asked: RangeDep
) -> FileContent:
    run, samples = place_of(checkpoint_id, store, volume)
    found = resource(run, checkpoints.get_checkpoint(run, samples))
    return download(run.checkpoint(samples).path, name, found.files, asked)


def place_of(checkpoint_id: str, store: Store, volume: Volume) -> tuple[RunDirectory, int]:
    """The run directory and sample count that a checkpoint's id names."""
    job_id, _, samples = checkpoint_id.rpartition("@")
    if not samples.isdecimal():
        raise NotFound(f"there is no checkpoint {checkpoint_id!r}: an id reads <job>@<samples>")
    return volume.job(store.get(job_id).id), int(samples)


def resource(run: RunDirectory, found: checkpoints.Checkpoint) -> Checkpoint:
    """A checkpoint with its files, as the manifest lists them."""
    manifest = read_json(run.checkpoint(found.samples).manifest)
    href = f"/v1/checkpoints/{found.id}/files"
    files = [
        File(path=name, size=file["size"], sha256=file["sha256"], href=f"{href}/{name}")
        for name, file in sorted(manifest["files"].items())
    ]
    return Checkpoint(**found.model_dump(), files=files)
