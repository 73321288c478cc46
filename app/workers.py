"""``/v1/workers``: who trains, and on what."""

from __future__ import annotations

from fastapi import APIRouter

from app.resources import Worker, WorkerList
from app.state import StoreDep
from jobs import workers

router = APIRouter(tags=["workers"])


@router.get("/workers", summary="The workers that were heard of lately, and their trainers")
def list_workers(store: StoreDep) -> WorkerList:
    return WorkerList(items=[Worker(**entry.model_dump()) for entry in workers.list_workers(store)])
