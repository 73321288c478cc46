"""``/v1/jobs/{id}/logs`` and ``/attempts``: what the trainer processes of a job wrote and did."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from app.attempts import attempts_of
from app.resources.attempts import AttemptList, Log
from app.state import HubDep, StoreDep, VolumeDep
from app.streams.history import history
from app.streams.livelogs import Place, beginning, live_lines
from app.streams.sse import EventStream
from app.tail import last_lines
from jobs.errors import NotFound
from jobs.record import Record
from trainer.layout import Volume

router = APIRouter(prefix="/jobs/{job_id}", tags=["logs"])


@router.get("/attempts", summary="The runs of a trainer process that a job took")
def list_attempts(job_id: str, store: StoreDep, volume: VolumeDep) -> AttemptList:
    run = volume.job(store.get(job_id).id)
    return AttemptList(items=attempts_of(history(store, volume, job_id), run))


LIVE = (
    'event: lines\ndata: {"attempt": 1, "stream": "stderr", "offset": 0, '
    '"text": "restored checkpoint 5748\\n"}\nid: 1:25\n\n'
    'event: end\ndata: {"status": "succeeded", "attempt": 1}\n\n'
)


@router.get(
    "/logs",
    summary="The last lines that an attempt wrote; live with Accept: text/event-stream",
    response_model=Log,
    responses={
        200: {
            "content": {
                "text/plain": {"example": "restored checkpoint 5748\n"},
                "text/event-stream": {"example": LIVE},
            }
        }
    },
)
async def read_log(
    request: Request,
    job_id: str,
    store: StoreDep,
    volume: VolumeDep,
    hub: HubDep,
    attempt: Annotated[
        int | None, Query(ge=1, description="absent: the newest, and for a stream those that follow")
    ] = None,
    stream: Literal["stdout", "stderr"] = "stderr",
    tail: Annotated[int, Query(ge=1, le=100_000, description="lines")] = 200,
    last_event_id: Annotated[
        str | None,
        Header(pattern=r"^[0-9]{1,9}:[0-9]{1,16}$", description="for a stream: the id of the last message"),
    ] = None,
) -> Response:
    record = await run_in_threadpool(store.get, job_id)
    accept = request.headers.get("accept", "")
    if "text/event-stream" in accept:
        require_attempt(record, attempt)
        run = volume.job(job_id)
        number = attempt or record.attempt
        if last_event_id is not None:
            place = Place(*map(int, last_event_id.split(":")))
        else:
            place = await run_in_threadpool(beginning, run.attempt(number), number, stream, tail)
        return EventStream(live_lines(hub, run, job_id, stream, place, attempt))
    log = await run_in_threadpool(log_of, record, volume, attempt, stream, tail)
    if "text/plain" in accept:
        return PlainTextResponse("".join(line + "\n" for line in log.lines))
    return Response(log.model_dump_json(), media_type="application/json")


def log_of(record: Record, volume: Volume, attempt: int | None, stream: str, tail: int) -> Log:
    """The end of one stream of one attempt; an attempt that has not begun is NotFound."""
    number = attempt or record.attempt
    require_attempt(record, attempt)
    directory = volume.job(record.id).attempt(number)
    path = directory.stdout if stream == "stdout" else directory.stderr
    lines, truncated = last_lines(path, tail)
    return Log(attempt=number, stream=stream, lines=lines, truncated=truncated)


def require_attempt(record: Record, attempt: int | None) -> None:
    """NotFound for an attempt that has not begun."""
    if attempt is not None and attempt > record.attempt:
        raise NotFound(f"job {record.id!r} has had {record.attempt} attempt(s), not {attempt}")
