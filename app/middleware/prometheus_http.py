"""How this process answers: requests by route and status, and the time until an answer began."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

V1 = "/v1"
"""Where the routers of the API proper are."""
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class HttpFigures:
    """The figures of one application, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "cntk_jobs_http_requests",
            "Requests answered, by route and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "cntk_jobs_http_response_seconds",
            "From a request's head to the beginning of its answer; a stream's length is not in it.",
            ["method", "route"],
            buckets=BOUNDS_S,
            registry=registry,
        )
        self.open = Gauge(
            "cntk_jobs_http_open_requests", "Requests under way, streams among them.", registry=registry
        )


class CountRequests:
    """ASGI middleware that counts; it changes nothing."""

    def __init__(self, app: ASGIApp, figures: HttpFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        answered = False

        def answer(status: int) -> None:
            nonlocal answered
            answered = True
            route = route_of(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._figures.requests.labels(method, route, str(status)).inc()
            self._figures.seconds.labels(method, route).observe(time.perf_counter() - begun)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer(message["status"])
            await send(message)

        with self._figures.open.track_inprogress():
            try:
                await self._app(scope, receive, counted)
            except BaseException:
                # The server answers with 500 where nothing has been sent yet.
                if not answered:
                    answer(500)
                raise


def route_of(scope: Scope) -> str:
    """The path of the route that answers, with the names of its parameters.

    What no route answers has no name of its own: a stranger could make up any number of them.
    """
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None:
        return "none"
    # The route of an included router does not know that router's prefix.
    return f"{V1}{path}" if scope["path"].startswith(f"{V1}/") else path


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
