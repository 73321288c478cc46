"""``/v1/jobs/{id}/artifacts``: what a job left besides its checkpoints."""

from __future__ import annotations

from fastapi import APIRouter

from app.files import DOWNLOAD, download, files_below
from app.ranges import FileContent, RangeDep
from app.resources.files import FileList
from app.state import StoreDep, VolumeDep

router = APIRouter(prefix="/jobs/{job_id}/artifacts", tags=["artifacts"])


@router.get("", summary="Files that the job left as its results")
def list_artifacts(job_id: str, store: StoreDep, volume: VolumeDep) -> FileList:
    folder = volume.job(store.get(job_id).id).artifacts
    return FileList(items=list(files_below(folder, f"/v1/jobs/{job_id}/artifacts")))


@router.get(
    "/{path:path}",
    summary="Download one artifact",
    status_code=200,
    response_class=FileContent,
    responses=DOWNLOAD,
)
def download_artifact(
    job_id: str, path: str, store: StoreDep, volume: VolumeDep, asked: RangeDep
) -> FileContent:
    folder = volume.job(store.get(job_id).id).artifacts
    return download(folder, path, files_below(folder, ""), asked)
