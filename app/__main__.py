"""``python -m app``: serve the API with the settings of the environment."""

from __future__ import annotations

import logging
import signal
import socket
import sys

import uvicorn
from pydantic import ValidationError

from app.main import create_app
from app.middleware.request_ids import request_id
from app.middleware.request_log import not_logged
from app.protocol import BoundedHeads
from jobs.access.exposure import refusal_to_bind
from jobs.log import set_up
from jobs.settings import Settings
from jobs.tracing import tracing

log = logging.getLogger("cntk-jobs")

PROVIDED = {"request_id": request_id.get, "trace_id": tracing.trace_id}
PLAIN = "%(name)s: %(message)s"
STOP_SECONDS = 5
"""How long answers under way may take once the server was asked to stop."""


def main() -> int:
    """Serve until SIGINT or SIGTERM, then 0. 2, and a line for each reason, where it cannot serve."""
    # uvicorn sends itself the signal again once it has stopped.
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda *_: sys.exit(0))
    set_up("api", "text", plain=PLAIN)
    try:
        settings = Settings()
    except ValidationError as error:
        return refuse(
            *(f"CNTK_JOBS_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors())
        )
    set_up("api", settings.log, plain=PLAIN, provided=PROVIDED)
    logging.getLogger("uvicorn.error").addFilter(not_logged)
    refusal = refusal_to_bind(settings)
    if refusal:
        return refuse(refusal)
    try:
        listener = listen(settings)
    except OSError as error:
        return refuse(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}")
    tracing.set_up("api")
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedHeads,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    app.state.stopping = lambda: server.should_exit
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    log.info("listening on http://%s:%d", host, listener.getsockname()[1])
    try:
        server.run(sockets=[listener])
    finally:
        tracing.flush()
    return 0


def refuse(*lines: str) -> int:
    for line in lines:
        log.error("%s", line)
    return 2


def listen(settings: Settings) -> socket.socket:
    """A socket on the settings' address; OSError where it is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol left at 0, asyncio does not switch Nagle's algorithm off, and every
    # answer waits 40 ms for the caller's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((settings.host, settings.port))
    listener.listen(1024)
    return listener


if __name__ == "__main__":
    sys.exit(main())
