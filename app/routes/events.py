"""``/v1/jobs/{id}/events`` and ``/v1/events``: what happened, as a page or as a live stream (SSE)."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from app.examples import course as examples
from app.paging import Number, page_token
from app.resources.events import EventPage, FeedPage
from app.state import HubDep, StoreDep, VolumeDep
from app.streams.everything import Choice, event_item
from app.streams.history import history
from app.streams.hub import Hub
from app.streams.live import live_events, live_everything
from app.streams.sse import EventStream
from jobs.events import EventType
from jobs.feed import place_of
from jobs.store import Store
from trainer.layout import Volume

router = APIRouter(tags=["events"])

_BATCH = 1000
EVENT_ID = r"^[0-9]{1,16}-[0-9]{1,16}$"


def stream_of(events: list[dict[str, Any]], name: str) -> dict[int | str, dict[str, Any]]:
    """The response of an endpoint that can stream, for OpenAPI."""
    text = "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\nid: {event[name]}\n\n" for event in events
    )
    return {200: {"content": {"text/event-stream": {"example": text}}}}


def asks_for_stream(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


@router.get(
    "/jobs/{job_id}/events",
    summary="Events of a job: a page, or a live stream with Accept: text/event-stream",
    response_model=EventPage,
    responses=stream_of(examples.EVENTS, "seq"),
)
async def read_events(
    request: Request,
    job_id: str,
    store: StoreDep,
    volume: VolumeDep,
    hub: HubDep,
    after: Annotated[int, Query(ge=0, description="sequence number of the last event known")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page_token: Number = None,
    last_event_id: Annotated[int | None, Header(ge=0, description="for a stream: as after")] = None,
) -> Response:
    if asks_for_stream(request):
        await run_in_threadpool(store.get, job_id)
        return EventStream(live_events(hub, store, volume, job_id, last_event_id or after))
    page = await run_in_threadpool(event_page, store, volume, job_id, int(page_token or after), limit)
    return JSONResponse(page)


def event_page(store: Store, volume: Volume, job_id: str, after: int, limit: int) -> dict[str, Any]:
    """The next ``limit`` events; one more is looked for to know whether another page follows."""
    found = history(store, volume, store.get(job_id).id, after=after, limit=limit + 1)
    items = found[:limit]
    return {"items": items, "next_page_token": str(items[-1]["seq"]) if len(found) > limit else None}


@router.get(
    "/events",
    summary="The newest events of all jobs: a page, or a live stream with Accept: text/event-stream",
    response_model=FeedPage,
    responses=stream_of(examples.FEED, "id"),
)
async def read_feed(
    request: Request,
    hub: HubDep,
    after: Annotated[
        str | None,
        Query(
            pattern=EVENT_ID,
            description="id of the last event known; a stream without it is "
            "of what happens from now on, a page of the oldest that are kept",
        ),
    ] = None,
    job: Annotated[tuple[str, ...], Query(description="of these jobs only")] = (),
    kind: Annotated[tuple[EventType, ...], Query(alias="type", description="of these types only")] = (),
    progress: Annotated[bool, Query(description="for a stream: whether figures are told of, too")] = True,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    page_token: Annotated[str | None, page_token(EVENT_ID)] = None,
    last_event_id: Annotated[
        str | None, Header(pattern=EVENT_ID, description="for a stream: as after")
    ] = None,
) -> Response:
    choice = Choice(frozenset(job), frozenset(kind), progress)
    if asks_for_stream(request):
        known = last_event_id or after
        place = place_of(known) if known else await hub.now()
        return EventStream(live_everything(hub, place, choice))
    return JSONResponse(await feed_page(hub, page_token or after or "0-0", choice, limit))


async def feed_page(hub: Hub, after: str, choice: Choice, limit: int) -> dict[str, Any]:
    """The next ``limit`` of the wanted events that Redis still has."""
    items: list[dict[str, Any]] = []
    place = place_of(after)
    while found := await hub.feed.after(place, _BATCH):
        for event in found:
            if not choice.wants(event.job, event.document["type"]):
                continue
            if len(items) == limit:
                return {"items": items, "next_page_token": items[-1]["id"]}
            items.append(event_item(event))
        place = place_of(found[-1].id)
    return {"items": items, "next_page_token": None}
