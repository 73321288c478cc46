"""Domain errors. They know nothing of HTTP; app/problems.py maps each class to a status.

JobsError
 +-- InvalidInput     what the caller sent is wrong; every fault at once
 |    +-- TooLarge    an upload over a limit
 |    +-- UnsupportedMediaType   a body of another kind than is read there
 +-- NotFound         no such job, data set, checkpoint, part
 +-- Conflict         right in itself, but not in the present state
 |    +-- InFlight    the same request is under way: ask again when it has ended
 +-- PreconditionFailed   not any more as the caller said that it must be
 +-- Forbidden        right in itself, but not for this caller
 |    +-- QuotaExceeded   he has as much as he may
 +-- TooMany          right in itself, but too many of it now: a rate, a quota of what waits
 +-- Unavailable      Redis or the volume cannot be reached now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one place of the input.

    ``pointer`` is a JSON pointer into the body ("/network/2/units"); for a file it names
    the place in the file ("/file/adult.csv/row 17/age"). ``code`` is a stable word,
    ``detail`` says what was found and what would be right.
    """

    pointer: str
    code: str
    detail: str


class JobsError(Exception):
    """Base of all errors that a caller may be told about.

    ``type`` is the stable slug of the problem; ``extra`` goes into the answer as it is.
    """

    type = "error"

    def __init__(
        self,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.extra = dict(extra or {})


class InvalidInput(JobsError):
    type = "invalid-input"

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> Self:
        """One error for all faults; the summary is the first fault's detail."""
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return cls(f"{faults[0].pointer}: {faults[0].detail}{more}", faults=faults)


class TooLarge(InvalidInput):
    type = "too-large"


class UnsupportedMediaType(InvalidInput):
    type = "unsupported-media-type"


class NotFound(JobsError):
    type = "not-found"


class Conflict(JobsError):
    type = "conflict"


class PreconditionFailed(JobsError):
    type = "precondition-failed"


class InFlight(Conflict):
    type = "in-flight"


class Forbidden(JobsError):
    type = "forbidden"


class QuotaExceeded(Forbidden):
    """``extra`` names the quota, its value and its limit."""

    type = "quota-exceeded"


class TooMany(JobsError):
    """``retry_after``: whole seconds after which it may be tried again; ``extra`` names the quota."""

    type = "too-many-requests"

    def __init__(self, detail: str, *, retry_after: int, extra: Mapping[str, Any]) -> None:
        super().__init__(detail, extra=extra)
        self.retry_after = retry_after


class Unavailable(JobsError):
    type = "unavailable"


class Refused(JobsError):
    """A guarded change found the job in another state or attempt than the caller believed."""

    type = "refused"
