"""The end of many jobs at once: what a filter finds, the look before, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.routes import bulk
from jobs.settings import Settings
from jobs.store import Store
from tests.api_calls import Run, pointers, submit


def cancel(api: httpx.Client, **body: Any) -> dict[str, Any]:
    answer = api.post("/v1/jobs/cancel", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def states(api: httpx.Client) -> dict[str, str]:
    return {job["id"]: job["status"] for job in api.get("/v1/jobs").json()["items"]}


def test_a_look_and_then_the_end(
    api: httpx.Client, spec: dict[str, Any], run: Run, settings: Settings
) -> None:
    a, b = (submit(api, {**spec, "tags": ["sweep"]})["id"] for _ in range(2))
    other = submit(api, spec)["id"]
    before = states(api)
    wanted = {"matched": 2, "jobs": [b, a], "more": False}
    assert cancel(api, tag="sweep", preview=True) == wanted | {"preview": True}
    assert states(api) == before
    assert cancel(api, tag=["sweep"], preview=False) == wanted | {"preview": False}
    assert states(api) == {a: "cancelled", b: "cancelled", other: "queued", run.id: "running"}
    assert cancel(api, tag="sweep", preview=False)["jobs"] == []
    # What was answered is on the volume.
    assert b'"cancelled"' in settings.volume.job(a).events.read_bytes()


def test_running_ones(api: httpx.Client, run: Run, store: Store) -> None:
    run.report(progress={"epoch": 4})
    assert cancel(api, where="progress.epoch>4", preview=False)["matched"] == 0
    body = {"where": ["progress.epoch>=4"], "status": "running", "checkpoint": "save"}
    assert cancel(api, preview=False, **body)["jobs"] == [run.id]
    record = store.get(run.id)
    assert (record.cancel_requested, record.cancel_saves) == (True, True)


def test_so_many_at_once(api: httpx.Client, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    a, b, c = (submit(api, spec)["id"] for _ in range(3))
    first = cancel(api, name="tiny", preview=False)
    assert (first["matched"], first["jobs"], first["more"]) == (3, [c, b], True)
    last = cancel(api, name="tiny", preview=False)
    assert (last["matched"], last["jobs"], last["more"]) == (1, [a], False)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"/preview"}),
        ({"tag": "x"}, {"/preview"}),
        ({"preview": "no", "tag": "x"}, {"/preview"}),
        ({"preview": False}, {""}),
        ({"preview": False, "checkpoint": "save"}, {""}),
        ({"preview": False, "status": ["queued", "failed"]}, {"/status/1"}),
        ({"preview": False, "tags": ["x"], "created_after": "soon"}, {"/tags", "/created_after"}),
        ({"preview": False, "where": ["loss<1", "progress.epoch>1"]}, {"/where/0"}),
    ],
)
def test_requests_that_are_refused(
    api: httpx.Client, spec: dict[str, Any], body: dict[str, Any], wrong: set[str]
) -> None:
    submit(api, spec)
    assert pointers(api.post("/v1/jobs/cancel", json=body), 422) == wrong
    assert set(states(api).values()) == {"queued"}
