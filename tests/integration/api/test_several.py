"""Several APIs on one Redis and one volume: it does not matter which one is asked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from tests.api_calls import Run, epoch
from tests.running_api import running_api


@pytest.fixture
def other(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as client:
        yield client


def test_what_one_has_accepted_the_other_tells_and_changes(
    api: httpx.Client, other: httpx.Client, run: Run
) -> None:
    run.report(epoch(1, 0.5))
    here, there = (client.get(f"/v1/jobs/{run.id}").json() for client in (api, other))
    # It goes on training between the two answers.
    assert here.pop("timings").keys() == there.pop("timings").keys()
    assert here == there
    assert [job["id"] for job in other.get("/v1/jobs").json()["items"]] == [run.id]
    assert other.post(f"/v1/jobs/{run.id}/pause").status_code == 200
    assert "pause_requested" in [event["type"] for event in events(api, run.id)]
    assert events(api, run.id) == events(other, run.id)


def test_a_request_sent_to_both_at_once_is_done_once(
    api: httpx.Client, other: httpx.Client, spec: dict[str, Any]
) -> None:
    def post(number: int) -> httpx.Response:
        client = (api, other)[number % 2]
        return client.post("/v1/jobs", json=spec, headers={"idempotency-key": f"job-{number // 8}"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(40)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 202}
    assert {job["id"] for job in other.get("/v1/jobs").json()["items"]} == made
    assert len(made) == 5


def events(client: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    return list(client.get(f"/v1/jobs/{job_id}/events").json()["items"])
