"""Whether the service can work, and what a rescan found."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.examples import service as examples


class RescanReport(BaseModel):
    """What a rescan found on the volume, in numbers of jobs."""

    model_config = ConfigDict(json_schema_extra={"example": examples.RESCAN})

    known: int = Field(description="they have a record, and were left alone")
    restored: int = Field(description="their records were made anew")
    queued: int = Field(description="of those, the ones that had not come to their end: they go on")
    interrupted: int = Field(description="run directories of submissions that were never answered")
    unreadable: list[str] = Field(description="jobs of which no record can be made; the API's log says why")


class Check(BaseModel):
    """One thing that the service needs."""

    name: str
    ok: bool
    detail: str


class Readiness(BaseModel):
    """Whether jobs can be taken. Without a worker they can: they wait."""

    model_config = ConfigDict(json_schema_extra={"example": examples.READINESS})

    ready: bool
    checks: list[Check]
