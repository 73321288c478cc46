"""``/v1/workers``: who trains, on what, and which job."""

from __future__ import annotations

from fastapi import APIRouter

from app.resources.workers import Worker, WorkerList
from app.state import StoreDep
from jobs import workers

router = APIRouter(tags=["workers"])


@router.get("/workers", summary="The workers that were heard of lately, and their trainers")
def list_workers(store: StoreDep) -> WorkerList:
    busy = workers.jobs_by_worker(store)
    found = workers.list_workers(store)
    return WorkerList(items=[Worker(**entry.model_dump(), job=busy.get(entry.name)) for entry in found])
