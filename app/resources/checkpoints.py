"""Checkpoints and their files."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from app.examples import files as examples
from app.resources.files import File
from app.resources.values import Values


class Checkpoint(BaseModel):
    """One published checkpoint; ``id`` is what ``start_from.checkpoint`` may name."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": examples.CHECKPOINT})

    id: str
    job: str
    samples: int
    step: int
    epoch: int
    losses: Values
    metrics: Values
    size: int
    sha256: str
    created_at: str
    pinned: bool
    best: bool
    files: list[File]


class CheckpointList(BaseModel):
    """Checkpoints of one job, oldest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.CHECKPOINT]}})

    items: list[Checkpoint]
