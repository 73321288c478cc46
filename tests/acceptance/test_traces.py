"""Traces of the whole service, as a real collector receives them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.tracing import wanted
from tests.api_calls import spec_by
from tests.collector import Collector, Span
from tests.running_service import RunningService, until
from trainer.files import read_json

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def submit(api: httpx.Client) -> str:
    spec = spec_by(api) | {"name": "traced"}
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-Id": "traced"}
    answer = api.post("/v1/jobs", json=spec, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def nanoseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000) * 10**6


def test_from_the_request_to_the_end_of_the_attempt(tmp_path: Path) -> None:
    with Collector() as collector:
        service = RunningService(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100"
        ).wait_ready()
        try:
            with httpx.Client(base_url=service.url, timeout=30) as api:
                job_id = submit(api)

                def ended() -> dict[str, Any] | None:
                    job: dict[str, Any] = api.get(f"/v1/jobs/{job_id}").json()
                    return job if job["finished_at"] else None

                job = until(ended, "the end of the job")

            def traced() -> dict[str, Span] | None:
                found = {span.name: span for span in collector.spans if span.trace == TRACE}
                return found if {"POST /v1/jobs", "attempt"} <= set(found) else None

            spans = until(traced, "the trace")
        finally:
            assert service.stop() == 0, service.said()

    assert job["status"] == "succeeded"
    assert set(spans) == {"POST /v1/jobs", "queued", "attempt", "starting", "training", "checkpoint"}
    request, attempt = spans["POST /v1/jobs"], spans["attempt"]
    assert request.parent == CALLER
    assert request.attributes["cntk_jobs.request_id"] == "traced"
    assert request.attributes["http.response.status_code"] == 202
    assert {spans[name].parent for name in ("queued", "attempt")} == {request.id}
    assert {spans[name].parent for name in ("starting", "training", "checkpoint")} == {attempt.id}
    assert {request.service} == {"cntk-jobs-api"}
    assert {span.service for name, span in spans.items() if span is not request} == {"cntk-jobs-worker"}
    told = {"cntk_jobs.job": job_id, "cntk_jobs.attempt": 1, "cntk_jobs.worker": job["worker"]}
    assert attempt.attributes == told | {
        "cntk_jobs.state": "succeeded",
        "cntk_jobs.reason": "completed",
    }
    assert not attempt.failed
    # Told by the clock of the record: what came before what, and how long it took.
    assert spans["queued"].start == nanoseconds(job["created_at"])
    assert spans["queued"].end == spans["starting"].start == attempt.start
    assert attempt.start == nanoseconds(job["started_at"])
    assert spans["starting"].end == spans["training"].start
    assert attempt.end == spans["training"].end
    kept = read_json(tmp_path / "volume" / "jobs" / job_id / "accepted.json")
    assert kept["traceparent"] == f"00-{TRACE}-{request.id}-01"


@pytest.mark.parametrize(
    ("environment", "traced"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_nothing_is_told_unless_a_collector_is_named(environment: dict[str, str], traced: bool) -> None:
    assert wanted(environment) is traced
