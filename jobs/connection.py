"""Connections to Redis or Valkey, and what becomes of their errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis.asyncio
from redis import Redis, exceptions
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.errors import Unavailable

CONNECT_TIMEOUT = 1.0
"""Seconds; a caller waits no longer than this to be told that Redis is away."""
ANSWER_TIMEOUT = 2.0
_NOTHING_TO_TELL = None
"""redis-py would look its own version up in its package's files, to tell the server at each connection."""

_AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.OutOfMemoryError,
    exceptions.ReadOnlyError,
)


def connect(url: str, *, answer_timeout: float | None = ANSWER_TIMEOUT, text: bool = True) -> Redis:
    """A client for ``url`` (redis://, rediss://, unix://) that fails fast and never retries.

    ``text``: replies as str; False leaves bytes, as RQ's worker wants them.
    ``answer_timeout``: seconds to wait for a reply; None waits for as long as it takes.
    """
    return Redis.from_url(
        url,
        decode_responses=text,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=answer_timeout,
        retry=Retry(NoBackoff(), 0),
        driver_info=_NOTHING_TO_TELL,
    )


def connect_async(url: str, *, answer_timeout: float = ANSWER_TIMEOUT) -> redis.asyncio.Redis:
    """As ``connect``, for an event loop; replies as str."""
    return redis.asyncio.Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=answer_timeout,
        retry=AsyncRetry(NoBackoff(), 0),
        driver_info=_NOTHING_TO_TELL,
    )


@contextmanager
def reaching_redis() -> Iterator[None]:
    """Turn "cannot be reached", "cannot write now" into Unavailable; let faults of ours through."""
    try:
        yield
    except _AWAY as error:
        raise Unavailable(f"the job store cannot be used now: {error}") from error
