"""``/v1/jobs/{id}/artifacts``: what a job left besides its checkpoints."""

from __future__ import annotations

from fastapi import APIRouter

from app.files import DOWNLOAD, download, files_below
from app.ranges import FileContent, RangeDep
from app.resources.files import FileList
from app.state import StoreDep, VolumeDep
from jobs.drawings import draw

router = APIRouter(prefix="/jobs/{job_id}/artifacts", tags=["artifacts"])


@router.get("", summary="Files that the job left as its results")
def list_artifacts(job_id: str, store: StoreDep, volume: VolumeDep) -> FileList:
    record = store.get(job_id)
    run = volume.job(record.id)
    draw(run, record)
    return FileList(items=list(files_below(run.artifacts, f"/v1/jobs/{job_id}/artifacts")))


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
    record = store.get(job_id)
    run = volume.job(record.id)
    if path.endswith(".png"):
        draw(run, record)
    return download(run.artifacts, path, files_below(run.artifacts, ""), asked)
