"""Tokens as the API shows them: everything but the token itself, which is told once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from jobs.access.token_models import Scope

TOKEN_ID = "tok_01K9Z6V3N8Q4T0R7XW2Y5B1CDE"
NEW_TOKEN: dict[str, Any] = {
    "name": "alice",
    "scopes": ["submit"],
    "expires_at": "2027-01-01T00:00:00Z",
    "quotas": {"queued": 100, "running": 2, "bytes": 50_000_000_000},
    "requests_per_minute": 6000,
}
TOKEN: dict[str, Any] = {
    **NEW_TOKEN,
    "id": TOKEN_ID,
    "created_at": "2026-01-31T09:30:00Z",
    "revoked_at": None,
    "last_used_at": "2026-01-31T09:41:12Z",
}
TOKEN_EDIT: dict[str, Any] = {"quotas": {"running": 4}, "requests_per_minute": None}
ME: dict[str, Any] = {
    "name": "alice",
    "scope": "submit",
    "token": TOKEN_ID,
    "expires_at": "2027-01-01T00:00:00Z",
    "requests_per_minute": 6000,
    "quotas": NEW_TOKEN["quotas"],
    "use": {"queued": 3, "running": 2, "bytes": 1_204_338_176},
}


class OwnerQuotas(BaseModel):
    """How much an owner may have at once; null is no limit."""

    queued: int | None = Field(description="jobs that wait or are paused; one more is refused")
    running: int | None = Field(description="jobs that run; one more waits, though a worker is free")
    bytes: int | None = Field(description="bytes of data sets, models and jobs; more is refused")


class Token(BaseModel):
    """A token, without itself."""

    model_config = ConfigDict(json_schema_extra={"example": TOKEN})

    id: str
    name: str = Field(description="whose it is: the owner of what is made with it")
    scopes: list[Scope] = Field(description="each includes the ones before: read, submit, admin")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None = Field(description="since then it opens nothing")
    last_used_at: datetime | None = Field(description="to the second; null where Redis was lost since")
    quotas: OwnerQuotas
    requests_per_minute: int | None


class MadeToken(Token):
    """A new token. This answer is the only place where it can be read."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**TOKEN, "last_used_at": None, "token": "cj_" + 43 * "x"}}
    )

    token: str = Field(description="what goes into 'Authorization: Bearer …'")


class TokenPage(BaseModel):
    """Tokens, the newest first, those that open nothing any more among them."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [TOKEN], "next_page_token": None}})

    items: list[Token]
    next_page_token: str | None


class Use(BaseModel):
    """What an owner has of that to which quotas are kept, now."""

    queued: int = Field(description="jobs that wait or are paused")
    running: int
    bytes: int


class Me(BaseModel):
    """Who is asking."""

    model_config = ConfigDict(json_schema_extra={"example": ME})

    name: str | None = Field(description="owner of what is made; null while no token is asked for")
    scope: Scope = Field(description="the widest that the token has; it includes the narrower ones")
    token: str | None = Field(description="id of the token; null for one of the settings")
    expires_at: datetime | None
    requests_per_minute: int | None
    quotas: OwnerQuotas
    use: Use | None = Field(description="null while no token is asked for, and while Redis is away")
