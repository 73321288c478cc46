"""``/v1/jobs/{id}/attempts/{n}/stdout`` and ``stderr``: what a trainer's processes wrote, byte by byte."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from app.ranges import FileContent, RangeDep, answers, opened
from app.state import StoreDep, VolumeDep
from jobs.errors import NotFound

router = APIRouter(tags=["logs"])


@router.get(
    "/jobs/{job_id}/attempts/{attempt}/{stream}",
    summary="What an attempt wrote, whole or a range of its bytes",
    status_code=200,
    response_class=FileContent,
    responses=answers("text/plain", "restored checkpoint 5748\n"),
)
def read_raw_log(
    job_id: str,
    attempt: Annotated[int, Path(ge=1)],
    stream: Literal["stdout", "stderr"],
    store: StoreDep,
    volume: VolumeDep,
    asked: RangeDep,
) -> FileContent:
    record = store.get(job_id)
    if attempt > record.attempt:
        raise NotFound(f"job {record.id!r} has had {record.attempt} attempt(s), not {attempt}")
    directory = volume.job(record.id).attempt(attempt)
    try:
        file, size = opened(directory.stdout if stream == "stdout" else directory.stderr)
    except NotFound:
        detail = f"attempt {attempt} of {record.id} has written no {stream} that is on the volume"
        raise NotFound(detail) from None
    # It is only ever appended to: so much of it is always the same bytes.
    return FileContent(file, size, asked, tag=f'"{attempt}-{size}"', media_type="text/plain; charset=utf-8")
