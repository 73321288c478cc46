"""Lines of the audit file."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.examples.jobs import JOB_ID

ENTRY: dict[str, Any] = {
    "time": "2026-01-31T09:30:00.250Z",
    "request": "9f8b1c2d3e4f5a60",
    "caller": "alice",
    "token": "tok_01K9Z6V3N8Q4T0R7XW2Y5B1CDE",
    "address": "127.0.0.1",
    "method": "POST",
    "path": "/v1/jobs",
    "resource": JOB_ID,
    "status": 202,
}


class AuditEntry(BaseModel):
    """One request that was to change something."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": ENTRY})

    time: str
    request: str | None = Field(description="the X-Request-Id of its answer")
    caller: str | None = Field(description="name of the token; null while none was asked for")
    token: str | None = Field(description="id of the token; null for one of the settings")
    address: str | None
    method: str
    path: str
    resource: str | None = Field(description="id of what was made or named")
    status: int = Field(description="of the answer: below 300 the change was made")


class AuditPage(BaseModel):
    """Audit entries, the newest first."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [ENTRY], "next_page_token": "18231"}})

    items: list[AuditEntry]
    next_page_token: str | None
