"""The runs of a trainer process, and what they wrote."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.examples import course as examples


class Attempt(BaseModel):
    """One run of a trainer process."""

    model_config = ConfigDict(json_schema_extra={"example": examples.ATTEMPT})

    attempt: int
    started_at: str
    ended_at: str | None = None
    outcome: str | None = Field(
        default=None, description="null while it runs; queued or paused where another attempt follows"
    )
    reason: str | None = None
    detail: str | None = None
    stdout_bytes: int
    stderr_bytes: int


class AttemptList(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"items": [examples.ATTEMPT]}})

    items: list[Attempt]


class Log(BaseModel):
    """The end of what an attempt's processes wrote."""

    model_config = ConfigDict(json_schema_extra={"example": examples.LOG})

    attempt: int
    stream: str
    lines: list[str]
    truncated: bool = Field(description="whether there are lines before these")
