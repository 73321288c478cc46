"""What a token is, what one may be asked to be, and how it may be changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jobs.specs.part_models import Strict
from jobs.specs.structure import parse_as


class Scope(StrEnum):
    """What a token may; each includes the ones before."""

    READ = "read"
    """Look at everything."""
    SUBMIT = "submit"
    """Submit and upload, and change what is its owner's."""
    ADMIN = "admin"
    """Change what is anybody's, and manage tokens."""

    def covers(self, needed: Scope) -> bool:
        order = list(Scope)
        return order.index(self) >= order.index(needed)


class Quotas(Strict):
    """How much an owner may have at once; null is no limit. The owner's newest token says it."""

    queued: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="jobs that wait or are paused; one more is refused"
    )
    running: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="jobs that run; one more waits, though a worker is free"
    )
    bytes: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="bytes of data sets, models and jobs on the volume; more is refused"
    )


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$")]


class NewToken(Strict):
    """What a token shall be."""

    name: Name = Field(description="whose it is: what is made with it is this owner's")
    scopes: list[Literal["read", "submit", "admin"]] = Field(
        min_length=1, description="each includes the ones before: read, submit, admin"
    )
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    quotas: Quotas = Quotas()
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="null: as many as it likes"
    )


class QuotasEdit(Strict):
    """A part of a token's quotas; null takes a limit away."""

    queued: Annotated[int, Field(ge=0)] | None = None
    running: Annotated[int, Field(ge=1)] | None = None
    bytes: Annotated[int, Field(ge=0)] | None = None


class TokenEdit(Strict):
    """A JSON merge patch (RFC 7396): what is left out stays, null takes a limit or an end away."""

    name: Name | None = Field(default=None, description="what is made from now on is this owner's")
    scopes: list[Literal["read", "submit", "admin"]] | None = Field(default=None, min_length=1)
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    quotas: QuotasEdit | None = None
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Token(BaseModel):
    """``tokens/<id>.json``: everything of a token but itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    quotas: Quotas = Quotas()
    requests_per_minute: int | None = None

    @property
    def scope(self) -> Scope:
        """The widest that it has."""
        return max(self.scopes, key=list(Scope).index)

    @property
    def administers(self) -> bool:
        return self.scope is Scope.ADMIN

    def valid(self, now: datetime) -> bool:
        """Whether it opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def parse_token(document: Mapping[str, object]) -> NewToken:
    """InvalidInput with every fault at once."""
    return parse_as(NewToken, document)
