"""A span for each request, which goes on with the trace of a caller that sends ``traceparent``."""

from __future__ import annotations

from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.middleware.prometheus_http import route_of
from app.middleware.request_ids import request_id
from jobs.tracing import context_of


class TraceRequests:
    """Where a collector is configured. The span ends when the answer begins: a stream may last for hours."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        with self._tracer.start_as_current_span(
            scope["method"],
            context=context_of(given.decode("latin-1")),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
            end_on_exit=False,
        ) as span:
            if identifier := request_id.get():
                span.set_attribute("cntk_jobs.request_id", identifier)

            async def traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    span.update_name(f"{scope['method']} {route_of(scope)}")
                    span.set_attribute("http.route", route_of(scope))
                    span.set_attribute("http.response.status_code", status)
                    if status >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                    span.end()
                await send(message)

            try:
                await self._app(scope, receive, traced)
            finally:
                if span.is_recording():
                    span.end()
