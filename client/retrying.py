"""When a request is sent again, and after how long: decided here, slept and sent elsewhere."""

from __future__ import annotations

import random
from dataclasses import dataclass

from client.problems import JobsApiError, UnreachableError

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
"""Methods of this API that may be sent twice: every PATCH is a merge patch. A POST needs a key."""

LONGEST_ASKED_S = 60.0
"""A Retry-After beyond this is handed to the caller instead of being waited for."""


@dataclass(frozen=True)
class Retries:
    """At most ``count`` more tries, the first after ``first`` seconds, each pause ``factor`` times longer.

    Pauses vary by a fifth, so that many clients do not come back at the same moment.
    """

    count: int = 4
    first: float = 0.1
    factor: float = 3.0

    def pause(self, tried: int, error: JobsApiError, *, repeatable: bool) -> float | None:
        """Seconds to wait after the ``tried``-th try ended in ``error``; None where trying again is wrong."""
        if tried > self.count or not may_repeat(error, repeatable=repeatable):
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= LONGEST_ASKED_S else None
        return self.first * self.factor ** (tried - 1) * random.uniform(0.8, 1.2)


def may_repeat(error: JobsApiError, *, repeatable: bool) -> bool:
    """Whether the same request may be sent again after ``error``.

    ``repeatable`` says that doing it twice is doing it once: by its method or by its Idempotency-Key.
    """
    if isinstance(error, UnreachableError):
        return repeatable or not error.sent
    if error.type == "in-flight":
        # Our own earlier try still has the key; it will answer what that one made.
        return True
    if error.status == 429:
        # A quota that is used up says no time: waiting for it is the caller's decision.
        return error.retry_after is not None
    return repeatable and error.status in (502, 503, 504)
