"""``/v1/jobs/{id}/logs`` and ``/attempts``: what the trainer processes of a job wrote and did."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse

from app.attempts import attempts_of
from app.history import history
from app.resources.attempts import AttemptList, Log
from app.state import StoreDep, VolumeDep
from app.tail import last_lines
from jobs.errors import NotFound
from jobs.record import Record
from trainer.layout import Volume

router = APIRouter(prefix="/jobs/{job_id}", tags=["logs"])


@router.get("/attempts", summary="The runs of a trainer process that a job took")
def list_attempts(job_id: str, store: StoreDep, volume: VolumeDep) -> AttemptList:
    run = volume.job(store.get(job_id).id)
    return AttemptList(items=attempts_of(history(store, volume, job_id), run))


@router.get(
    "/logs",
    summary="The last lines that an attempt wrote",
    response_model=Log,
    responses={200: {"content": {"text/plain": {"example": "restored checkpoint 5748\n"}}}},
)
def read_log(
    request: Request,
    job_id: str,
    store: StoreDep,
    volume: VolumeDep,
    attempt: Annotated[int | None, Query(ge=1, description="absent: the newest")] = None,
    stream: Literal["stdout", "stderr"] = "stderr",
    tail: Annotated[int, Query(ge=1, le=100_000, description="lines")] = 200,
) -> Log | PlainTextResponse:
    log = log_of(store.get(job_id), volume, attempt, stream, tail)
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse("".join(line + "\n" for line in log.lines))
    return log


def log_of(record: Record, volume: Volume, attempt: int | None, stream: str, tail: int) -> Log:
    """The end of one stream of one attempt; an attempt that has not begun is NotFound."""
    number = attempt or record.attempt
    if number > record.attempt:
        raise NotFound(f"job {record.id!r} has had {record.attempt} attempt(s), not {number}")
    directory = volume.job(record.id).attempt(number)
    path = directory.stdout if stream == "stdout" else directory.stderr
    lines, truncated = last_lines(path, tail)
    return Log(attempt=number, stream=stream, lines=lines, truncated=truncated)
