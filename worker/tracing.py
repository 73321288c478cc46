"""The spans of an attempt: how long it was queued, starting, training, and each checkpoint."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from jobs.events import EventType
from jobs.journal import read_events
from jobs.record import Record
from jobs.tracing import context_of, tracing
from trainer.files import complete_lines
from trainer.layout import RunDirectory

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

_MS, _S = 10**6, 10**9
"""Nanoseconds."""


class AttemptTrace:
    """Tells the collector of one attempt, as far as it has come; nothing where there is no collector."""

    def __init__(self, run: RunDirectory, record: Record) -> None:
        self._run = run
        self._record = record
        self._offset = 0
        self._attempt: Span | None = None
        self._trained_since: int | None = None
        if tracing.tracer is None:
            return
        parent = context_of(record.traceparent)
        told: dict[str, Any] = {
            "cntk_jobs.job": record.id,
            "cntk_jobs.attempt": record.attempt,
            "cntk_jobs.worker": record.worker or "",
        }
        tracing.tracer.start_span(
            "queued", parent, attributes=told, start_time=_queued_at(run, record) * _MS
        ).end(record.phase_at * _MS)
        self._attempt = tracing.tracer.start_span(
            "attempt", parent, attributes=told, start_time=record.phase_at * _MS
        )

    @property
    def trace_id(self) -> str | None:
        """In hexadecimal."""
        return f"{self._attempt.get_span_context().trace_id:032x}" if self._attempt else None

    def look(self) -> None:
        """Tell of what the trainer has reported since the last time."""
        if self._attempt is None:
            return
        for line in complete_lines(self._run.attempt(self._record.attempt).facts, self._offset):
            self._offset = line.end
            if fact := line.value():
                self._take(fact)

    def _take(self, fact: dict[str, Any]) -> None:
        at = round(fact["time"] * _S)
        if fact["type"] == EventType.FIRST_MINIBATCH:
            self._span("starting", self._record.phase_at * _MS, at)
            self._trained_since = at
        elif fact["type"] == EventType.CHECKPOINT:
            told = {"cntk_jobs.samples": fact["samples"], "cntk_jobs.bytes": fact.get("size", 0)}
            self._span("checkpoint", at - round(fact.get("seconds", 0) * _S), at, **told)

    def end(self, state: str, reason: str, at_ms: int) -> None:
        """The attempt has ended: where the job went, and why."""
        if self._attempt is None:
            return
        at = at_ms * _MS
        if self._trained_since is not None:
            self._span("training", self._trained_since, at)
        self._attempt.set_attribute("cntk_jobs.state", state)
        self._attempt.set_attribute("cntk_jobs.reason", reason)
        if state == "failed":
            from opentelemetry.trace import Status, StatusCode

            self._attempt.set_status(Status(StatusCode.ERROR, reason))
        self._attempt.end(at)

    def _span(self, name: str, start: int, end: int, **told: Any) -> None:
        if tracing.tracer is not None:
            span = tracing.tracer.start_span(name, self._within(), attributes=told, start_time=start)
            span.end(max(start, end))

    def _within(self) -> Context:
        from opentelemetry.trace import set_span_in_context

        assert self._attempt is not None
        return set_span_in_context(self._attempt)


def _queued_at(run: RunDirectory, record: Record) -> int:
    """Unix milliseconds at which the job was last queued."""
    if record.attempt > 1:
        times = [event["time"] for event in read_events(run, limit=10**9) if event["type"] == "queued"]
        if times:
            return round(datetime.fromisoformat(times[-1]).timestamp() * 1000)
    return record.created_at
