"""Where the API may listen: on this machine's loopback, and elsewhere once it asks for tokens."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from jobs.access.tokens import Tokens
from jobs.settings import Settings


@lru_cache(maxsize=1024)
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
    tokens = Tokens(settings.volume)
    tokens.refresh()
    if tokens.any:
        return None
    return (
        f"will not listen on {settings.host}: others could reach it without a token. Make one with "
        "'cntk-jobs token create NAME --scope admin --here' (or set CNTK_JOBS_API_TOKENS), "
        "or stay on this machine with CNTK_JOBS_HOST=127.0.0.1"
    )
