"""``/v1/jobs/{id}/events``: what happened, as a page or as a live stream (SSE)."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from app import examples
from app.history import history
from app.live import live_events
from app.resources.events import EventPage
from app.state import StoreDep, VolumeDep
from jobs.store import Store
from trainer.layout import Volume

router = APIRouter(prefix="/jobs/{job_id}", tags=["events"])

STREAM = "".join(
    f"event: {event['type']}\ndata: {json.dumps(event)}\nid: {event['seq']}\n\n" for event in examples.EVENTS
)


@router.get(
    "/events",
    summary="Events of a job: a page, or a live stream with Accept: text/event-stream",
    response_model=EventPage,
    responses={200: {"content": {"text/event-stream": {"example": STREAM}}}},
)
async def read_events(
    request: Request,
    job_id: str,
    store: StoreDep,
    volume: VolumeDep,
    after: Annotated[int, Query(ge=0, description="sequence number of the last event known")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page_token: Annotated[int | None, Query(ge=0, description="next_page_token of the page before")] = None,
    last_event_id: Annotated[int | None, Header(ge=0, description="for a stream: as after")] = None,
) -> EventPage | StreamingResponse:
    record = await run_in_threadpool(store.get, job_id)
    if "text/event-stream" in request.headers.get("accept", ""):
        stream = live_events(store, volume, job_id, last_event_id or after, request.app.state.stopping)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
    return await run_in_threadpool(event_page, store, volume, record.id, page_token or after, limit)


def event_page(store: Store, volume: Volume, job_id: str, after: int, limit: int) -> EventPage:
    """The next ``limit`` events; one more is looked for to know whether another page follows."""
    found = history(store, volume, job_id, after=after, limit=limit + 1)
    items = found[:limit]
    return EventPage(items=items, next_page_token=str(items[-1]["seq"]) if len(found) > limit else None)
