"""Who calls, and what he may: bearer tokens where there are any, otherwise this machine alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.exceptions import HTTPException

from app.admission.rates import Rates, headers
from jobs.access.exposure import is_loopback
from jobs.access.quotas import publish
from jobs.access.token_models import Scope, Token
from jobs.access.token_use import note_used
from jobs.access.tokens import Tokens, digest
from jobs.errors import Unavailable
from jobs.settings import Settings
from jobs.store import Store

ADMINISTRATOR = "admin"
"""Owner of what is made with one of CNTK_JOBS_API_TOKENS."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})

bearer = HTTPBearer(
    auto_error=False,
    description="A token of POST /v1/tokens, or one of CNTK_JOBS_API_TOKENS; "
    "a service that has neither asks for none.",
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


@dataclass(frozen=True)
class Caller:
    """Who sent a request. ``name`` is the owner of what it makes; None where no token is asked for."""

    name: str | None
    scope: Scope
    """The widest that he has."""
    token: Token | None = None
    """None for one of the settings' tokens, too."""

    @property
    def admin(self) -> bool:
        return self.scope is Scope.ADMIN

    def may_change(self, owner: str | None) -> bool:
        """Whether he may change what belongs to ``owner``; what has no owner is the administrators'."""
        return self.admin or (owner is not None and owner == self.name)


HERE = Caller(None, Scope.ADMIN)
"""Somebody on this machine, while no token is asked for."""


class Guard:
    """Knows callers by their tokens; what it knows of the volume is a second old at most."""

    def __init__(self, settings: Settings, tokens: Tokens) -> None:
        self._set = {digest(token.get_secret_value()) for token in settings.api_tokens}
        self.tokens = tokens
        self._reading = asyncio.Lock()
        self._used: dict[str, datetime] = {}

    @property
    def asks(self) -> bool:
        """Whether a token is needed. Unavailable while nobody knows, for want of the volume."""
        if not (self._set or self.tokens.any or self.tokens.none):
            raise Unavailable("the volume is not there, which knows who may call; mount its disk")
        return not self.tokens.none or bool(self._set)

    @property
    def administered_by_settings(self) -> bool:
        return bool(self._set)

    async def up_to_date(self) -> None:
        if self.tokens.stale:
            async with self._reading:
                if self.tokens.stale:
                    await run_in_threadpool(self.tokens.refresh)

    def tell(self, store: Store) -> None:
        """Tell Redis what the volume says of quotas, and which tokens were used since it was last told."""
        self.tokens.refresh()
        if self.tokens.any or self.tokens.none:
            publish(self.tokens.quotas(), store)
        used, self._used = self._used, {}
        note_used(used, store)

    def caller(self, secret: str) -> Caller | str:
        """Whose token this is, or why it is nobody's."""
        if digest(secret) in self._set:
            return Caller(ADMINISTRATOR, Scope.ADMIN)
        token = self.tokens.find(secret)
        if token is None:
            return "this token is not known here"
        if token.revoked_at is not None:
            return "this token was revoked"
        now = datetime.now(UTC)
        if not token.valid(now):
            return "this token has expired"
        self._used[token.id] = now
        return Caller(token.name, token.scope, token)


async def authorised(request: Request, credentials: Bearer) -> Caller:
    """Let a request pass or raise 401 or 403; who sent it is ``request.state.caller`` from then on."""
    guard: Guard = request.state.guard
    await guard.up_to_date()
    if guard.asks:
        caller = known(guard, credentials)
    else:
        refuse_foreign_pages(request)
        caller = HERE
    request.state.caller = caller
    if caller.token is not None and caller.token.requests_per_minute is not None:
        await keep_rate(request, caller.token, caller.token.requests_per_minute)
    needed = Scope.READ if request.method in READING else Scope.SUBMIT
    require(caller, needed)
    return caller


async def keep_rate(request: Request, token: Token, limit: int) -> None:
    """429 where the token asks too often; how much is left becomes a header of the answer."""
    rates: Rates = request.state.rates
    request.state.answer_headers = headers(limit, 0)
    left = await rates.spend(token)
    request.state.answer_headers = [] if left is None else headers(limit, left)


def known(guard: Guard, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    if credentials is None:
        raise _unauthorised("this needs 'Authorization: Bearer <token>'", "Bearer")
    found = guard.caller(credentials.credentials)
    if isinstance(found, str):
        raise _unauthorised(found, 'Bearer error="invalid_token"')
    return found


def _unauthorised(detail: str, challenge: str) -> HTTPException:
    return HTTPException(401, detail, headers={"WWW-Authenticate": challenge})


def require(caller: Caller, scope: Scope) -> None:
    """403 unless the caller has the scope."""
    if not caller.scope.covers(scope):
        raise HTTPException(
            403,
            f"this needs a token with the scope {scope.value}; {caller.name}'s has {caller.scope.value}",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope.value}"'},
        )


async def _caller(request: Request) -> Caller:
    return caller_of(request)


def caller_of(request: Request) -> Caller:
    """Who sent a request that was let pass."""
    caller: Caller = request.state.caller
    return caller


CallerDep = Annotated[Caller, Depends(_caller)]


async def administrators_only(caller: CallerDep) -> None:
    """403 for everybody else."""
    require(caller, Scope.ADMIN)


@lru_cache(maxsize=256)
def _host_name(scheme: str, host: str | None, server: tuple[str, int | None] | None) -> str:
    """The name by which a request calls this machine, as ``request.url`` has it."""
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    about = {"scheme": scheme, "server": server, "path": "/", "query_string": b"", "headers": headers}
    return URL(scope=about).hostname or ""


def refuse_foreign_pages(request: Request) -> None:
    """Keep web pages of other sites, and other machines, out of a service that asks for no token.

    A page open in this machine's browser can post to loopback, and a name that its owner
    points at 127.0.0.1 makes the answer readable to it.
    """
    host = _host_name(request["scheme"], request.headers.get("host"), request.get("server"))
    peer = request.client.host if request.client else "localhost"
    origin = request.headers.get("origin")
    foreign = None
    if origin and origin != f"{request.url.scheme}://{request.url.netloc}":
        foreign = repr(origin)
    elif not is_loopback(host):
        foreign = repr(host)
    elif not is_loopback(peer):
        foreign = peer
    if foreign:
        raise HTTPException(
            403, f"while no token is asked for, only this machine may call the service, not {foreign}"
        )
