"""A line of the log for each request, and one with the traceback for each failure of ours."""

from __future__ import annotations

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("requests")


class RequestLog:
    """Where the log is read by machines (CNTK_JOBS_LOG=json): within the request, so that its id is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        told = {"method": scope["method"], "path": scope["path"]}

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                job = (scope.get("path_params") or {}).get("job_id")
                seconds = round(time.perf_counter() - begun, 6)
                extra = told | {"status": message["status"], "seconds": seconds, "job": job}
                log.info("%s %s", scope["method"], scope["path"], extra=extra)
            await send(message)

        try:
            await self._app(scope, receive, telling)
        except Exception as error:
            log.exception("%s %s failed", scope["method"], scope["path"], extra=told)
            error.add_note(LOGGED)
            raise


LOGGED = "It is in the log with its request."


def not_logged(record: logging.LogRecord) -> bool:
    """Whether a line of the server's tells a failure for the first time."""
    error = record.exc_info[1] if record.exc_info else None
    return LOGGED not in getattr(error, "__notes__", ())
