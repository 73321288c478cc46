"""``/v1/jobs/{id}/posted``: what was posted, where that named a recipe."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from app.examples import jobs as examples
from app.state import StoreDep, VolumeDep
from jobs.errors import NotFound
from trainer.files import read_json

router = APIRouter(tags=["jobs"])


@router.get(
    "/jobs/{job_id}/posted",
    summary="The spec as it was posted, before its recipe was expanded",
    responses={200: {"content": {"application/json": {"example": examples.POSTED}}}},
)
def read_posted(job_id: str, store: StoreDep, volume: VolumeDep) -> dict[str, Any]:
    run = volume.job(store.get(job_id).id)
    try:
        return dict(read_json(run.posted))
    except FileNotFoundError:
        raise NotFound(f"{job_id} was not posted as a recipe; its spec is all there is") from None
