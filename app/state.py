"""What a running app holds, and how endpoints ask for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from app.admission.access import Guard
from app.admission.rates import Rates
from app.specs import Specs
from app.streams.hub import Hub
from app.submitting import Submitting
from jobs.access.usage import Usage
from jobs.queries.glance import Glances
from jobs.queue import TokenQueue
from jobs.settings import Settings
from jobs.store import Store
from trainer.layout import Volume


@dataclass(frozen=True)
class Reading:
    """What reads of one job go through, on the event loop."""

    glances: Glances
    specs: Specs


class AppState(TypedDict):
    """The lifespan's state: every request sees it as ``request.state``."""

    settings: Settings
    store: Store
    queue: TokenQueue
    hub: Hub
    submitting: Submitting
    reading: Reading
    guard: Guard
    rates: Rates
    usage: Usage
    registry: CollectorRegistry


def state_of(request: Request) -> AppState:
    """All of it, for endpoints that many ask: each dependency takes time to be found out."""
    state: AppState = request.scope["state"]
    return state


def _held(name: str) -> Callable[[Request], Coroutine[Any, Any, Any]]:
    """A dependency on one thing of the state."""

    # A coroutine, because FastAPI sends a plain function on a trip to a thread.
    async def held(request: Request) -> Any:
        return request.scope["state"][name]

    return held


async def _volume(request: Request) -> Volume:
    return state_of(request)["settings"].volume


SettingsDep = Annotated[Settings, Depends(_held("settings"))]
StoreDep = Annotated[Store, Depends(_held("store"))]
QueueDep = Annotated[TokenQueue, Depends(_held("queue"))]
GuardDep = Annotated[Guard, Depends(_held("guard"))]
UsageDep = Annotated[Usage, Depends(_held("usage"))]
VolumeDep = Annotated[Volume, Depends(_volume)]
HubDep = Annotated[Hub, Depends(_held("hub"))]
