"""``wait=``: the answer comes with the news, without a thread for whoever waits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from jobs.states import Reason, State
from tests.api_calls import Run, pointers, submit

LONG = {"wait": "30"}
"""Longer than a test may take: an answer has come because of the news."""
BEGIN_SECONDS = 0.3


def soon(what: Any) -> threading.Timer:
    timer = threading.Timer(BEGIN_SECONDS, what)
    timer.start()
    return timer


def test_the_end_is_waited_for(api: httpx.Client, run: Run) -> None:
    url = f"/v1/jobs/{run.id}"
    assert api.get(url, params={"wait": 0.05}).json()["status"] == "running"
    timer = soon(lambda: (run.report(progress={"epoch": 1}), run.end(State.SUCCEEDED, Reason.COMPLETED)))
    assert api.get(url, params=LONG).json()["status"] == "succeeded"
    timer.join()
    assert api.get(url, params=LONG).json()["status"] == "succeeded"


@pytest.mark.parametrize("news", ["progress", "edit", "cancel"])
def test_with_a_tag_any_change_is(api: httpx.Client, run: Run, news: str) -> None:
    url = f"/v1/jobs/{run.id}"
    tag = api.get(url).headers["etag"]
    assert api.get(url, params={"wait": 0.05}, headers={"if-none-match": tag}).status_code == 304
    change = {
        "progress": lambda: run.report(progress={"epoch": 2}),
        "edit": lambda: run.store.edit(
            run.id, [{"field": "name", "value": "x", "said": '"name":"x"'}], [], None
        ),
        "cancel": lambda: run.store.request_cancel(run.id),
    }[news]
    timer = soon(change)
    answer = api.get(url, params=LONG, headers={"if-none-match": tag})
    timer.join()
    assert answer.status_code == 200
    assert answer.headers["etag"] != tag
    assert api.get(url, params=LONG, headers={"if-none-match": '"0-0"'}).status_code == 200


def test_a_place_in_the_queue(api: httpx.Client, spec: dict[str, Any]) -> None:
    first, second = (submit(api, spec)["id"] for _ in range(2))
    url = f"/v1/jobs/{second}"
    tag = api.get(url).headers["etag"]
    timer = soon(lambda: api.post(f"/v1/jobs/{first}/cancel"))
    assert api.get(url, params=LONG, headers={"if-none-match": tag}).json()["queue_position"] == 1
    timer.join()


def test_many_may_wait(api: httpx.Client, run: Run) -> None:
    """More than there are threads, and others are served meanwhile."""
    with ThreadPoolExecutor(80) as pool:
        limits = httpx.Limits(max_connections=100)
        with httpx.Client(base_url=api.base_url, timeout=60, limits=limits) as client:
            waiting = [pool.submit(client.get, f"/v1/jobs/{run.id}", params=LONG) for _ in range(80)]
            time.sleep(BEGIN_SECONDS)
            assert api.get("/v1/jobs").status_code == 200
            assert not any(one.done() for one in waiting)
            run.end(State.FAILED, Reason.DIVERGED)
            assert {one.result().json()["status"] for one in waiting} == {"failed"}


def test_waits_that_are_refused(api: httpx.Client, run: Run) -> None:
    for wait in ("-1", "61", "long", "nan"):
        assert pointers(api.get(f"/v1/jobs/{run.id}", params={"wait": wait}), 422) == {"/query/wait"}, wait
    assert api.get("/v1/jobs/job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE", params=LONG).status_code == 404
