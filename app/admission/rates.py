"""How often a token may ask: a bucket of requests in Redis that fills again all the time.

Every process takes a tenth of a second's worth at a time, so Redis is asked ten times a second at most, and
what a process knows of the bucket is that old at most.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from jobs.access.token_models import Token
from jobs.connection import reaching_redis
from jobs.errors import TooMany, Unavailable
from jobs.scripts import Scripts

WINDOW_SECONDS = 60
SHARE_SECONDS = 0.1

log = logging.getLogger("uvicorn.error")


@dataclass
class _Share:
    """What this process has of a token's bucket."""

    mine: int = 0
    left: int = 0
    """In the bucket, when it was last asked."""
    closed_until: float = 0.0
    """By the monotonic clock: the bucket was empty, and says when it is not."""


class Rates:
    """The shares of one process."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._shares: dict[str, _Share] = {}

    async def spend(self, token: Token) -> int | None:
        """Let one request through, or raise TooMany; how many more may come, None where nobody counts.

        While Redis is away nobody counts: what needs it fails anyway.
        """
        limit = token.requests_per_minute
        if limit is None:
            return None
        share = self._shares.setdefault(token.id, _Share())
        if not share.mine and time.monotonic() >= share.closed_until:
            try:
                await run_in_threadpool(self._take, token.id, limit, share)
            except Unavailable as error:
                log.warning("requests of %s are not counted: %s", token.name, error.detail)
                return None
        if not share.mine:
            wait = max(1, math.ceil(share.closed_until - time.monotonic()))
            raise TooMany(
                f"{token.name}'s token may make {limit} requests a minute; the next one in {wait} s",
                retry_after=wait,
                extra={"quota": "requests_per_minute", "value": limit, "limit": limit},
            )
        share.mine -= 1
        return share.mine + share.left

    def _take(self, token_id: str, limit: int, share: _Share) -> None:
        ask = {
            "token": token_id,
            "limit": limit,
            "window_ms": WINDOW_SECONDS * 1000,
            "wanted": max(1, int(limit * SHARE_SECONDS / WINDOW_SECONDS)),
        }
        with reaching_redis():
            taken, left, wait_ms = self._scripts.run("rate", ask)
        share.mine += int(taken)
        share.left = int(left)
        share.closed_until = time.monotonic() + int(wait_ms) / 1000


def headers(limit: int, left: int) -> list[tuple[bytes, bytes]]:
    """As draft-ietf-httpapi-ratelimit-headers has them; the bucket is full again after ``t`` seconds."""
    full = math.ceil((limit - left) * WINDOW_SECONDS / limit)
    return [
        (b"ratelimit-policy", f'"token";q={limit};w={WINDOW_SECONDS}'.encode()),
        (b"ratelimit", f'"token";r={left};t={full}'.encode()),
    ]
