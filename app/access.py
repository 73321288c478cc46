"""Who may call: bearer tokens where there are any, otherwise this machine alone."""

from __future__ import annotations

import ipaddress
from hmac import compare_digest
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from jobs.settings import Settings

bearer = HTTPBearer(
    auto_error=False,
    description="One of CNTK_JOBS_API_TOKENS; without that setting no token is needed.",
)


def is_loopback(host: str) -> bool:
    """Whether an address or name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refusal_to_bind(settings: Settings) -> str | None:
    """Why the service must not listen on ``settings.host``; None where it may."""
    if settings.api_tokens or is_loopback(settings.host):
        return None
    return (
        f"will not listen on {settings.host}: others could reach it without a token. "
        "Set CNTK_JOBS_API_TOKENS, or CNTK_JOBS_HOST=127.0.0.1"
    )


def authorised(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]
) -> None:
    """Let a request pass or raise 401 or 403."""
    settings: Settings = request.state.settings
    if not settings.api_tokens:
        refuse_foreign_pages(request)
        return
    given = credentials.credentials.encode() if credentials else b""
    # Every token is compared, so that the time taken does not tell which one was near.
    matches = [compare_digest(given, token.get_secret_value().encode()) for token in settings.api_tokens]
    if not any(matches):
        raise HTTPException(
            401, "this needs 'Authorization: Bearer <token>'", headers={"WWW-Authenticate": "Bearer"}
        )


def refuse_foreign_pages(request: Request) -> None:
    """Keep web pages of other sites out of a service that asks for no token.

    A page open in this machine's browser can post to loopback, and a name that its owner
    points at 127.0.0.1 makes the answer readable to it.
    """
    host = request.url.hostname or ""
    origin = request.headers.get("origin")
    if not is_loopback(host) or (origin and origin != f"{request.url.scheme}://{request.url.netloc}"):
        caller = repr(origin or host)
        raise HTTPException(403, f"without CNTK_JOBS_API_TOKENS only this machine may call, not {caller}")
