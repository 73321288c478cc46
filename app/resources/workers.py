"""Who trains."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.examples import service as examples
from jobs.workers import WorkerEntry


class Worker(WorkerEntry):
    """A worker that was heard of lately, and the trainer it found on its machine."""

    model_config = ConfigDict(json_schema_extra={"example": examples.WORKER})

    job: str | None = Field(default=None, description="the job that it runs now")


class WorkerList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.WORKER]}})

    items: list[Worker]
