"""``/healthz`` and ``/readyz``: is the process alive, and can jobs be taken."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.readiness import readiness
from app.resources.health import Readiness
from app.state import StoreDep, VolumeDep

router = APIRouter(tags=["health"])


@router.get(
    "/healthz",
    summary="Whether the process answers",
    responses={200: {"content": {"application/json": {"example": {"status": "alive"}}}}},
)
async def read_health() -> dict[str, str]:
    return {"status": "alive"}


@router.get(
    "/readyz",
    summary="Whether jobs can be taken, and what is missing",
    responses={503: {"model": Readiness, "description": "Redis or the volume is missing"}},
)
def read_readiness(store: StoreDep, volume: VolumeDep, response: Response) -> Readiness:
    found = readiness(store, volume)
    response.status_code = 200 if found.ready else 503
    return found
