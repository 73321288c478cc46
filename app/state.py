"""What a running app holds, and how endpoints ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypedDict

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from app.access import Guard
from app.hub import Hub
from app.rates import Rates
from app.specs import Specs
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


# Coroutines, because FastAPI sends a plain function on a trip to a thread.
async def _settings(request: Request) -> Settings:
    settings: Settings = request.state.settings
    return settings


async def _store(request: Request) -> Store:
    store: Store = request.state.store
    return store


async def _queue(request: Request) -> TokenQueue:
    queue: TokenQueue = request.state.queue
    return queue


async def _volume(request: Request) -> Volume:
    settings: Settings = request.state.settings
    return settings.volume


async def _hub(request: Request) -> Hub:
    hub: Hub = request.state.hub
    return hub


async def _usage(request: Request) -> Usage:
    usage: Usage = request.state.usage
    return usage


async def _guard(request: Request) -> Guard:
    guard: Guard = request.state.guard
    return guard


SettingsDep = Annotated[Settings, Depends(_settings)]
StoreDep = Annotated[Store, Depends(_store)]
QueueDep = Annotated[TokenQueue, Depends(_queue)]
GuardDep = Annotated[Guard, Depends(_guard)]
UsageDep = Annotated[Usage, Depends(_usage)]
VolumeDep = Annotated[Volume, Depends(_volume)]
HubDep = Annotated[Hub, Depends(_hub)]
