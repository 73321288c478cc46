"""``/v1/parts``: what a spec may name."""

from __future__ import annotations

import functools
from typing import Any

from fastapi import APIRouter

from app.examples import service as examples
from jobs.specs.catalogue import catalogue

router = APIRouter(tags=["parts"])

known_parts = functools.cache(catalogue)
"""It follows from the code alone, and takes half a second to gather."""


@router.get(
    "/parts",
    summary="Every part that a spec may name, with its parameters",
    responses={200: {"content": {"application/json": {"example": {"losses": [examples.PART]}}}}},
)
def read_parts() -> dict[str, Any]:
    return known_parts()
