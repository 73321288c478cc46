"""``/v1/jobs/{id}/lineage``: back to the job that everything began with."""

from __future__ import annotations

from fastapi import APIRouter

from app.resources.lineage import Descent, Lineage
from app.state import StoreDep, VolumeDep
from jobs.queries.lineage import lineage

router = APIRouter(tags=["jobs"])


@router.get("/jobs/{job_id}/lineage", summary="A job and the jobs it came from, back to the first")
def read_lineage(job_id: str, store: StoreDep, volume: VolumeDep) -> Lineage:
    found = lineage(store.get(job_id).id, store, volume)
    return Lineage(items=[Descent(**one.model_dump()) for one in found])
