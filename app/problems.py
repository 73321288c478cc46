"""Errors as answers: the one table from domain error to status, and RFC 9457 bodies.

Every error leaves as ``application/problem+json``: a stable ``type``, and in ``errors``
each fault with a JSON pointer. Places outside the body are pointed at by where they are:
``/query/page_size``, ``/path/job_id``, ``/header/last-event-id``.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.methods import allowed, nothing_at
from jobs.errors import (
    Conflict,
    Fault,
    Forbidden,
    InFlight,
    InvalidInput,
    JobsError,
    NotFound,
    PreconditionFailed,
    TooLarge,
    TooMany,
    Unavailable,
    UnsupportedMediaType,
)
from trainer.files import is_volume_fault

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[JobsError], tuple[int, str]] = {
    TooLarge: (413, "Too large"),
    UnsupportedMediaType: (415, "Unsupported media type"),
    InvalidInput: (422, "Invalid input"),
    NotFound: (404, "Not found"),
    Conflict: (409, "Conflict"),
    PreconditionFailed: (412, "Precondition failed"),
    Forbidden: (403, "Forbidden"),
    TooMany: (429, "Too many requests"),
    Unavailable: (503, "Not available now"),
}
"""The most particular class first: the first that the error is an instance of counts."""

PHRASES = {413: "Content Too Large", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}
"""RFC 9110's words where those of the standard library depend on its version."""
RETRY_AFTER_SECONDS: dict[type[JobsError], int] = {Unavailable: 2, InFlight: 1}
"""When asking again may help, whatever kind of error says that it may."""


def problem(
    status: int,
    slug: str,
    title: str,
    detail: str,
    *,
    faults: Iterable[Fault] = (),
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One problem document as a response."""
    body = {
        **(extra or {}),
        "type": f"urn:cntk-jobs:problem:{slug}",
        "title": title,
        "status": status,
        "detail": detail,
        "errors": [
            {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in faults
        ],
    }
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def of_domain(error: JobsError) -> JSONResponse:
    status, title = next(
        (answer for kind, answer in STATUS.items() if isinstance(error, kind)), (500, "Internal error")
    )
    later = error.retry_after if isinstance(error, TooMany) else RETRY_AFTER_SECONDS.get(type(error))
    headers = {"Retry-After": str(later)} if later else None
    return problem(
        status, error.type, title, error.detail, faults=error.faults, extra=error.extra, headers=headers
    )


def of_http(error: HTTPException) -> JSONResponse:
    """404 of no route, 405, 401 and whatever else Starlette raises by status."""
    title = PHRASES.get(error.status_code) or HTTPStatus(error.status_code).phrase
    return problem(
        error.status_code,
        title.lower().replace(" ", "-"),
        title,
        error.detail or title,
        headers=error.headers,
    )


def of_validation(error: RequestValidationError) -> JSONResponse:
    """A parameter that does not fit its declared type."""
    return of_domain(InvalidInput.of([_fault(found) for found in error.errors()]))


def _fault(found: Mapping[str, Any]) -> Fault:
    pointer = "".join(f"/{part}" for part in found["loc"])
    given = found.get("input")
    if pointer == "/query/page_token":
        return Fault(pointer, "page_token", f"{given!r} is no next_page_token of an earlier answer")
    got = f"; got {given!r}" if given is not None else ""
    return Fault(pointer, found["type"], found["msg"] + got)


def of_os(error: OSError) -> JSONResponse:
    """What is the volume's trouble passes; any other OSError is a fault of ours."""
    if not is_volume_fault(error):
        raise error
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return of_domain(Unavailable("the volume is full: free some space and try again"))
    return of_domain(Unavailable(f"the volume cannot be used now: {error.strerror}"))


def failure() -> JSONResponse:
    """A fault of ours. The server logs the traceback; a stranger is shown none of it."""
    return problem(500, "internal", "Internal error", "the service failed; its log says how")


def register(app: FastAPI) -> None:
    """Make ``app`` answer every error with a problem document."""

    @app.exception_handler(JobsError)
    async def domain(_: Request, error: JobsError) -> JSONResponse:
        return of_domain(error)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            error.headers = {"Allow": allowed(request)}
            error.detail = f"{request.method} is not answered here; these are: {error.headers['Allow']}"
        elif error.status_code == 404 and error.__cause__ is None and error.detail == HTTPStatus(404).phrase:
            # Starlette's own: there is no route.
            error.detail = nothing_at(request)
        # Where only that may be raised, the error of ours stands behind it.
        return of_domain(error.__cause__) if isinstance(error.__cause__, JobsError) else of_http(error)

    @app.exception_handler(RequestValidationError)
    async def validation(_: Request, error: RequestValidationError) -> JSONResponse:
        return of_validation(error)

    @app.exception_handler(OSError)
    async def system(request: Request, error: OSError) -> JSONResponse:
        if not request.state.settings.volume.present():
            return of_domain(Unavailable("the volume is not there: its disk is not mounted"))
        return of_os(error)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> JSONResponse:
        return problem(400, "disconnected", "Client disconnected", "the request's body ended early")

    @app.exception_handler(Exception)
    async def internal(_: Request, __: Exception) -> JSONResponse:
        return failure()
