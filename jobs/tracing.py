"""Traces by OpenTelemetry, where the standard OTEL_* variables name a collector; else nothing is done.

A job's trace begins with the request that submits it. Its W3C ``traceparent`` is kept with the job, so the
spans of its attempts, which a worker tells of hours later perhaps, belong to the same trace.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

log = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0
"""How long a process that ends may wait for its last spans to be taken."""


class Tracing:
    """The tracer of this process. What it is asked for where there is none is answered with None."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None
        self._provider: TracerProvider | None = None

    def set_up(self, component: str) -> None:
        """Begin to tell the collector, if there is one. Not before the last fork."""
        if not wanted(os.environ):
            return
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            log.warning("no traces: OpenTelemetry is not installed (pip install 'cntk-jobs[otel]')")
            return
        try:
            exporter = OTLPSpanExporter()
        except Exception as error:
            log.warning("no traces: the OTEL_* variables are not understood: %s", error)
            return
        # What the environment says of them goes before.
        names = {"service.name": f"cntk-jobs-{component}"} if "OTEL_SERVICE_NAME" not in os.environ else {}
        self._provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self._provider.get_tracer("cntk-jobs")

    def traceparent(self) -> str | None:
        """The span at hand, as W3C Trace Context writes it."""
        if self.tracer is None:
            return None
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier.get("traceparent")

    def trace_id(self) -> str | None:
        """Of the span at hand, in hexadecimal."""
        given = self.traceparent()
        return given.split("-")[1] if given else None

    def flush(self) -> None:
        """Send what is left, or give up: a collector that hangs holds nobody up."""
        if self._provider is None:
            return
        provider = self._provider
        sending = threading.Thread(target=provider.force_flush, daemon=True)
        sending.start()
        sending.join(FLUSH_SECONDS)


tracing = Tracing()


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the variables name a collector that is told by OTLP over HTTP."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return any(environment.get(name) for name in endpoints)


def context_of(traceparent: str | None) -> Context:
    """The context of a kept or given traceparent; an empty one where there is none, or one that is none."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, Any] = {"traceparent": traceparent} if traceparent else {}
    return TraceContextTextMapPropagator().extract(carrier)
