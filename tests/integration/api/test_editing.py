"""PATCH of a job: name, tags, priority, in any state, and kept when Redis is lost."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jobs.journal import read_events
from jobs.queue import TokenQueue
from jobs.recovery.history import fold
from jobs.recovery.rescan import rescan
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import Run, pointers, submit


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["items"]]


def test_tags_of_a_spec(api: httpx.Client, spec: dict[str, Any]) -> None:
    job = submit(api, {**spec, "tags": ["team:vision", "a/b=1"]})
    assert job["tags"] == job["spec"]["tags"] == ["team:vision", "a/b=1"]
    plain = submit(api, spec)
    assert (plain["tags"], plain["fingerprint"]) == ([], job["fingerprint"])
    assert ids(api.get("/v1/jobs", params={"tag": ["a/b=1", "team:vision"]})) == [job["id"]]
    wrong = {**spec, "tags": ["two words", "x" * 65, "", "ok"]}
    assert pointers(api.post("/v1/jobs", json=wrong), 422) == {"/tags/0", "/tags/1", "/tags/2"}
    assert pointers(api.post("/v1/jobs", json={**spec, "tags": ["a", "a"]}), 422) == {"/tags"}
    assert pointers(api.post("/v1/jobs", json={**spec, "tags": [str(n) for n in range(21)]}), 422) == {
        "/tags"
    }


def test_a_recipe_s_name_is_kept(api: httpx.Client, spec: dict[str, Any]) -> None:
    posted = {
        "dataset": spec["dataset"],
        "recipe": {"type": "classifier", "inputs": ["x"], "target": "label"},
        "training": spec["training"],
        "tags": ["r"],
    }
    job = submit(api, posted)
    assert (job["recipe"], job["tags"]) == ("classifier", ["r"])
    submit(api, spec)
    assert ids(api.get("/v1/jobs", params={"recipe": "classifier"})) == [job["id"]]


@pytest.mark.parametrize("media", ["application/merge-patch+json", "application/json"])
def test_edit(api: httpx.Client, spec: dict[str, Any], store: Store, media: str) -> None:
    job = submit(api, {**spec, "tags": ["old", "kept"], "priority": 2})
    patch = '{"name": "better", "tags": ["kept", "new"], "priority": 8}'
    answer = api.patch(f"/v1/jobs/{job['id']}", content=patch, headers={"content-type": media})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["name"], found["tags"], found["priority"]) == ("better", ["kept", "new"], 8)
    assert found["spec"] == job["spec"], "what was submitted stays"
    assert api.get(f"/v1/jobs/{job['id']}").json()["tags"] == ["kept", "new"]
    assert ids(api.get("/v1/jobs", params={"tag": "old"})) == []
    for tag in ("new", "kept"):
        assert ids(api.get("/v1/jobs", params={"tag": tag})) == [job["id"]]
    events = api.get(f"/v1/jobs/{job['id']}/events").json()["items"]
    said = {"name": "better", "tags": ["kept", "new"], "priority": 8}
    assert [event["type"] for event in events] == ["queued", "edited"]
    assert said.items() <= events[1].items()

    back = api.patch(f"/v1/jobs/{job['id']}", json={"name": None, "tags": None, "priority": None}).json()
    assert (back["name"], back["tags"], back["priority"]) == ("", [], 5)
    # What changes nothing is no event.
    assert api.patch(f"/v1/jobs/{job['id']}", json={"tags": [], "priority": 5}).status_code == 200
    assert api.patch(f"/v1/jobs/{job['id']}", json={}).status_code == 200
    assert store.get(job["id"]).seq == 3


def test_priority_counts_at_once(api: httpx.Client, spec: dict[str, Any]) -> None:
    first, second = (submit(api, spec)["id"] for _ in range(2))
    place = [api.get(f"/v1/jobs/{job}").json()["queue_position"] for job in (first, second)]
    assert place == [1, 2]
    assert api.patch(f"/v1/jobs/{second}", json={"priority": 6}).json()["queue_position"] == 1
    assert api.patch(f"/v1/jobs/{second}", json={"priority": 4}).json()["queue_position"] == 2


def test_edits_that_are_refused(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    job = submit(api, spec)
    answer = api.patch(f"/v1/jobs/{job['id']}", json={"priority": 10, "tags": ["a b"], "nam": "x", "name": 3})
    assert pointers(answer, 422) == {"/priority", "/tags/0", "/nam", "/name"}
    assert "did you mean 'name'?" in answer.text
    assert store.get(job["id"]).seq == 1
    assert api.patch("/v1/jobs/job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE", json={"name": "x"}).status_code == 404


def test_edits_outlive_redis(
    api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings, run: Run
) -> None:
    posted = {
        "dataset": spec["dataset"],
        "recipe": {"type": "classifier", "inputs": ["x"], "target": "label"},
        "training": spec["training"],
    }
    waiting = submit(api, posted)["id"]
    run.report(metrics={"valid": {"accuracy": 0.5}})
    run.end(State.SUCCEEDED, Reason.COMPLETED)
    for job in (waiting, run.id):
        assert api.patch(f"/v1/jobs/{job}", json={"tags": ["one"]}).status_code == 200
        assert api.patch(f"/v1/jobs/{job}", json={"name": "new", "priority": 9}).status_code == 200
    # An ended job's stream is on the volume and goes.
    assert not store.events_after(run.id, 0)
    last = fold(read_events(settings.volume.job(run.id)))
    assert (last.state, last.edits) == (State.SUCCEEDED, 2)

    before = {job: store.get(job) for job in (waiting, run.id)}
    store.client.flushall()
    rescan(store, TokenQueue(store.client), settings)
    for job in (waiting, run.id):
        after = store.get(job)
        for name in ("name", "tags", "priority", "edits", "recipe"):
            assert getattr(after, name) == getattr(before[job], name), name
    assert ids(api.get("/v1/jobs", params={"tag": "one"})) == sorted((waiting, run.id), reverse=True)
    assert ids(api.get("/v1/jobs", params={"recipe": "classifier"})) == [waiting]
    assert ids(api.get("/v1/jobs", params={"name": "NEW", "status": "succeeded"})) == [run.id]
