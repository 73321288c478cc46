"""``POST /v1/rescan``: make Redis anew from the volume. Nothing that has a record is touched."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from app.admission.access import administrators_only
from app.resources.health import RescanReport
from app.state import QueueDep, SettingsDep, StoreDep
from jobs.recovery.rescan import rescan

router = APIRouter(tags=["health"], dependencies=[Depends(administrators_only)])


@router.post("/rescan", summary="Make lost records anew from the volume; doing it again changes nothing")
def rescan_volume(store: StoreDep, queue: QueueDep, settings: SettingsDep) -> RescanReport:
    return RescanReport(**rescan(store, queue, settings).model_dump())
