"""What can go wrong when talking to the service.

JobsApiError
 +-- UnreachableError   no answer: not running, or the connection broke
"""

from __future__ import annotations

from typing import Any

import httpx


class JobsApiError(Exception):
    """The service answered with a problem (RFC 9457).

    ``status`` is the HTTP status, ``type`` the stable slug ("invalid-input", "conflict", ...),
    ``errors`` every fault as {pointer, code, detail}, ``extra`` what else the problem carries.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        type: str = "error",  # noqa: A002 - RFC 9457 calls it so
        errors: list[dict[str, str]] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.type = type
        self.errors = errors or []
        self.extra = extra or {}

    @classmethod
    def of(cls, answer: httpx.Response) -> JobsApiError:
        """The problem in an answer whose status is 400 or above."""
        try:
            body = dict(answer.json())
        except (ValueError, TypeError):
            return cls(f"HTTP {answer.status_code} {answer.reason_phrase}", status=answer.status_code)
        known = {"type", "title", "status", "detail", "errors", "instance"}
        return cls(
            str(body.get("detail") or body.get("title") or answer.reason_phrase),
            status=answer.status_code,
            type=str(body.get("type", "error")).rsplit(":", 1)[-1],
            errors=list(body.get("errors") or []),
            extra={key: value for key, value in body.items() if key not in known},
        )

    @property
    def passing(self) -> bool:
        """Whether asking again later may help."""
        return self.status in (429, 502, 503, 504)


class UnreachableError(JobsApiError):
    """Nothing answered."""

    @property
    def passing(self) -> bool:
        return True
