"""What can go wrong when talking to the service.

JobsApiError
 +-- UnreachableError   no answer: not running, or the connection broke
 +-- DamagedError       a download that is not what the service says it is
"""

from __future__ import annotations

import email.utils
import time
from typing import Any

import httpx


def retry_after(answer: httpx.Response) -> float | None:
    """The seconds that a Retry-After header asks for, whichever of its two forms it has."""
    given = answer.headers.get("Retry-After")
    if given is None:
        return None
    try:
        return max(0.0, float(given))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None


class JobsApiError(Exception):
    """The service answered with a problem (RFC 9457).

    ``status`` is the HTTP status, ``type`` the stable slug ("invalid-input", "conflict", ...),
    ``errors`` every fault as {pointer, code, detail}, ``extra`` what else the problem carries,
    ``retry_after`` the seconds after which the service wants to be asked again, where it says.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        type: str = "error",  # noqa: A002 - RFC 9457 calls it so
        errors: list[dict[str, str]] | None = None,
        extra: dict[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.type = type
        self.errors = errors or []
        self.extra = extra or {}
        self.retry_after = retry_after

    @classmethod
    def of(cls, answer: httpx.Response) -> JobsApiError:
        """The problem in an answer whose status is 400 or above."""
        later = retry_after(answer)
        try:
            body = dict(answer.json())
        except (ValueError, TypeError):
            # No problem document: something between us and the service answered.
            line = f"HTTP {answer.status_code} {answer.reason_phrase}"
            return cls(line, status=answer.status_code, retry_after=later)
        known = {"type", "title", "status", "detail", "errors", "instance"}
        return cls(
            str(body.get("detail") or body.get("title") or answer.reason_phrase),
            status=answer.status_code,
            type=str(body.get("type", "error")).rsplit(":", 1)[-1],
            errors=list(body.get("errors") or []),
            extra={key: value for key, value in body.items() if key not in known},
            retry_after=later,
        )

    @property
    def document(self) -> dict[str, Any]:
        """The problem as JSON has it."""
        return {
            **self.extra,
            "type": self.type,
            "status": self.status,
            "detail": self.detail,
            "errors": self.errors,
        }

    @property
    def passing(self) -> bool:
        """Whether asking again later may help."""
        return self.status in (429, 502, 503, 504)


class UnreachableError(JobsApiError):
    """Nothing answered. ``sent``: whether the request may have reached the service all the same."""

    def __init__(self, detail: str, *, sent: bool) -> None:
        super().__init__(detail)
        self.sent = sent

    @property
    def passing(self) -> bool:
        return True


class DamagedError(JobsApiError):
    """The bytes that arrived do not have the digest that the service gave for them."""
