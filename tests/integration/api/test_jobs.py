"""Jobs over HTTP: submitting, validating, listing, cancelling.

No worker runs here: the tests move jobs on through the store, as a worker would.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import pointers, submit


def test_submitted_job(api: httpx.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)
    assert (job["name"], job["status"], job["reason"], job["attempt"]) == ("tiny", "queued", "submitted", 0)
    assert job["spec"]["dataset"] == spec["dataset"]
    assert job["spec"]["fingerprint"] == job["fingerprint"]
    assert set(job["timings"]) == {"queued_s", "starting_s", "training_s"}
    read = api.get(f"/v1/jobs/{job['id']}").json()
    now = {"timings": None, "queue_position": None, "waiting_for": None}
    assert {**read, **now} == {**job, **now}


def test_jobs_submitted_together(api: httpx.Client, spec: dict[str, Any]) -> None:
    asked = {"jobs": [spec | {"name": name} for name in ("first", "second")]}
    first, again = (
        api.post("/v1/jobs/batch", json=asked, headers={"idempotency-key": "b"}) for _ in range(2)
    )
    assert first.status_code == again.status_code == 202
    assert again.json() == first.json()
    assert [job["name"] for job in first.json()["items"]] == ["first", "second"]
    assert len(api.get("/v1/jobs").json()["items"]) == 2
    wrong = {"jobs": [spec, spec | {"training": {"epochs": 0, "minibatch_size": 0}}]}
    refused = api.post("/v1/jobs/batch", json=wrong)
    assert pointers(refused, 422) == {"/jobs/1/training/epochs", "/jobs/1/training/minibatch_size"}
    assert len(api.get("/v1/jobs").json()["items"]) == 2


def test_validate_only_creates_nothing(api: httpx.Client, spec: dict[str, Any], settings: Settings) -> None:
    answer = api.post("/v1/jobs", params={"validate_only": "true"}, json=spec)
    assert answer.status_code == 200
    found = answer.json()
    assert found["valid"] is True
    assert found["spec"]["fingerprint"] == found["fingerprint"]
    assert found["estimate"]["parameters"] == 2 * 2 + 2
    assert found["cntk_call"] == "cntk.sgd(parameters, 0.01, minibatch_size=IGNORE)"
    assert api.get("/v1/jobs").json() == {"items": [], "next_page_token": None}
    assert list(settings.volume.jobs.iterdir()) == []
    bad = api.post("/v1/jobs", params={"validate_only": "true"}, json={**spec, "training": {"epochs": 0}})
    assert "/training/epochs" in pointers(bad, 422)


def test_a_recipe_is_kept_and_shown_as_what_it_stands_for(api: httpx.Client, spec: dict[str, Any]) -> None:
    posted = {
        "dataset": spec["dataset"],
        "recipe": {"type": "classifier", "inputs": ["x"], "target": "label", "hidden": [4]},
        "training": spec["training"],
    }
    shown = api.post("/v1/jobs", params={"validate_only": "true"}, json=posted).json()["spec"]
    assert [layer["name"] for layer in shown["network"]] == ["hidden_1", "scores"]
    job = api.post("/v1/jobs", json=posted)
    assert job.status_code == 202, job.text
    kept = api.get(f"/v1/jobs/{job.json()['id']}").json()["spec"]
    assert kept == shown
    assert "recipe" not in kept
    assert api.post("/v1/jobs", json=kept).status_code == 202
    posted["recipe"] |= {"target": "lable"}
    assert pointers(api.post("/v1/jobs", json=posted), 422) == {"/recipe/target"}


def test_all_faults_of_a_spec_at_once(api: httpx.Client, spec: dict[str, Any], settings: Settings) -> None:
    spec["learner"] = {"type": "adamm"}
    spec["training"] = {"epochs": -1, "minibatch_size": 8}
    spec["nonsense"] = 1
    found = pointers(api.post("/v1/jobs", json=spec), 422)
    assert {"/training/epochs", "/nonsense"} < found
    assert any(pointer.startswith("/learner") for pointer in found)
    assert api.get("/v1/jobs").json()["items"] == []
    assert list(settings.volume.jobs.iterdir()) == []


def test_what_names_nothing_is_said_together_with_what_is_no_spec(
    api: httpx.Client, spec: dict[str, Any]
) -> None:
    spec["inputs"] = {"x": {"field": "xx", "scael": 2}}
    spec["network"][0] |= {"units": "two", "input": "xs"}
    spec["objective"][0] |= {"output": "score", "target": "lable"}
    spec["training"] |= {"epochs": 0}
    wrong = [
        "/inputs/x/field",
        "/inputs/x/scael",
        "/network/0/units",
        "/network/0/input",
        "/objective/0/output",
        "/objective/0/target",
        "/training/epochs",
    ]
    for asked in ({}, {"validate_only": "true"}):
        answer = api.post("/v1/jobs", params=asked, json=spec)
        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == wrong
    several = api.post("/v1/jobs/batch", json={"jobs": [spec]})
    assert pointers(several, 422) == {f"/jobs/0{pointer}" for pointer in wrong}
    elsewhere = api.post("/v1/jobs", json={**spec, "dataset": "ds_0"})
    nodes = {pointer for pointer in wrong if not pointer.endswith(("/field", "/target"))}
    assert pointers(elsewhere, 422) == {"/dataset", *nodes}


def test_data_set_that_is_not_there(api: httpx.Client, spec: dict[str, Any]) -> None:
    answer = api.post("/v1/jobs", json={**spec, "dataset": "ds_0"})
    assert answer.status_code in (404, 422)
    assert "ds_0" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b'{"name": \n "x",,}', "json_invalid", "line 2 column 6"),
        (b"", "json_invalid", "line 1 column 1"),
        (b"[1]", "object_expected", "an array"),
    ],
)
def test_body_that_is_no_spec(api: httpx.Client, body: bytes, code: str, named: str) -> None:
    answer = api.post("/v1/jobs", content=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("", code)
    assert named in fault["detail"]


def test_body_over_the_limit(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs", content=b'{"name": "' + b"x" * (5 << 20) + b'"}')
    assert pointers(answer, 413) == {""}


def test_pages_are_stable_while_jobs_arrive(api: httpx.Client, spec: dict[str, Any]) -> None:
    made = [submit(api, {**spec, "name": f"n{number}"})["id"] for number in range(5)]
    first = api.get("/v1/jobs", params={"page_size": 2}).json()
    assert [job["id"] for job in first["items"]] == [made[4], made[3]]
    assert first["items"][0]["spec"] is None
    submit(api, spec)
    rest = api.get("/v1/jobs", params={"page_size": 4, "page_token": first["next_page_token"]}).json()
    assert [job["id"] for job in rest["items"]] == [made[2], made[1], made[0]]
    assert rest["next_page_token"] is None


def test_list_by_status(api: httpx.Client, spec: dict[str, Any]) -> None:
    kept, cancelled = submit(api, spec)["id"], submit(api, spec)["id"]
    api.post(f"/v1/jobs/{cancelled}/cancel")
    for status, wanted in (("queued", [kept]), ("cancelled", [cancelled]), ("failed", [])):
        items = api.get("/v1/jobs", params={"status": status}).json()["items"]
        assert [job["id"] for job in items] == wanted


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "finished"}, "/query/status/0"),
        ({"status": ["queued", "lost"]}, "/query/status/1"),
        ({"created_after": "yesterday"}, "/query/created_after"),
        ({"order_by": "-loss"}, "/query/order_by"),
        ({"order_by": "metrics.acuracy"}, "/query/order_by"),
        ({"where": ["progress.epoch>1", "metrics.classification_eror<0.1"]}, "/query/where/1"),
        ({"order_by": "name", "page_token": "job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE"}, "/query/page_token"),
        ({"page_size": 0}, "/query/page_size"),
        ({"page_size": "many"}, "/query/page_size"),
        ({"page_token": "job_1"}, "/query/page_token"),
        ({"state": "queued"}, "/query/state"),
    ],
)
def test_bad_query(api: httpx.Client, query: dict[str, Any], pointer: str) -> None:
    answer = api.get("/v1/jobs", params=query)
    assert pointers(answer, 422) == {pointer}
    if pointer == "/query/state":
        assert "page_size, page_token, parent, recipe, status, tag, where" in answer.json()["detail"]


def test_cancel_is_idempotent_until_the_end(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    waiting = submit(api, spec)["id"]
    for _ in range(2):
        answer = api.post(f"/v1/jobs/{waiting}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    running = submit(api, spec)["id"]
    record = store.claim(running, worker="w", lease_seconds=60)
    assert record is not None
    for _ in range(2):
        answer = api.post(f"/v1/jobs/{running}/cancel")
        assert (answer.status_code, answer.json()["cancel_requested"]) == (200, True)
    store.transition(record, State.FAILED, Reason.DIVERGED, "the loss is not finite at step 3")
    assert api.post(f"/v1/jobs/{running}/cancel").status_code == 409
    failed = api.get(f"/v1/jobs/{running}")
    assert failed.status_code == 200
    assert (failed.json()["status"], failed.json()["reason"]) == ("failed", "diverged")
    assert failed.json()["detail"] == "the loss is not finite at step 3"


@pytest.mark.parametrize("job", ["job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE", "...", "%2e%2e"])
def test_job_that_is_not_there(api: httpx.Client, job: str) -> None:
    below = ("", "/events", "/metrics", "/logs", "/attempts", "/checkpoints", "/artifacts", "/artifacts/x")
    calls = [("GET", path) for path in below] + [("POST", "/cancel"), ("PUT", "/checkpoints/5/pin")]
    for method, path in calls:
        answer = api.request(method, f"/v1/jobs/{job}{path}")
        assert answer.status_code == 404, path
        assert answer.json()["type"] == "urn:cntk-jobs:problem:not-found"


def test_parts(api: httpx.Client) -> None:
    found = api.get("/v1/parts").json()
    assert "dense" in {part["type"] for part in found["layers"]}
    assert "adam" in {part["type"] for part in found["learners"]}


def test_order_and_dependencies(api: httpx.Client, spec: dict[str, Any]) -> None:
    first = submit(api, {**spec, "priority": 3})
    assert first["spec"]["priority"] == 3
    second = submit(api, {**spec, "after": [first["id"]], "requires": {"device": "gpu"}})
    assert second["spec"]["after"] == [{"job": first["id"], "on": "success"}]
    assert second["spec"]["requires"] == {"device": ["gpu"]}
    # None of it decides what is trained.
    assert first["fingerprint"] == second["fingerprint"]
    found = api.get(f"/v1/jobs/{first['id']}").json()
    assert (found["queue_position"], found["waiting_for"]["reason"]) == (1, "no_worker")
    found = api.get(f"/v1/jobs/{second['id']}").json()
    assert (found["queue_position"], found["waiting_for"]["reason"]) == (None, "dependencies")
    assert first["id"] in found["waiting_for"]["detail"]
    api.post(f"/v1/jobs/{first['id']}/cancel")
    wrong = {**spec, "after": ["job_none", {"job": first["id"]}], "requires": {}}
    assert pointers(api.post("/v1/jobs", json=wrong), 422) == {"/after/0", "/after/1/job"}
    # Jobs that are not there are told together with what is wrong with the spec itself, of whatever kind.
    wrong["start_from"] = {"job": "job_nobody", "mode": "exact"}
    elsewhere = {"/after/0", "/after/1/job", "/start_from/job"}
    lost = {**wrong, "example_weight": "heft"}
    for asked in ({}, {"validate_only": "true"}):
        assert pointers(api.post("/v1/jobs", params=asked, json=wrong), 422) == elsewhere
        assert pointers(api.post("/v1/jobs", params=asked, json=lost), 422) == {*elsewhere, "/example_weight"}
        odd = {**lost, "priority": 10}
        assert pointers(api.post("/v1/jobs", params=asked, json=odd), 422) == {
            *elsewhere,
            "/example_weight",
            "/priority",
        }
        nowhere = {**wrong, "dataset": "ds_0"}
        assert pointers(api.post("/v1/jobs", params=asked, json=nowhere), 422) == {*elsewhere, "/dataset"}
    begun = {**spec, "priority": 10, "start_from": {"job": first["id"], "checkpoint": 7, "mode": "weights"}}
    assert pointers(api.post("/v1/jobs", json=begun), 422) == {"/priority", "/start_from/checkpoint"}
    shapes = {**spec, "priority": 10, "after": [{"jobs": "x"}], "requires": {"device": []}}
    found = pointers(api.post("/v1/jobs", json=shapes), 422)
    assert {"/priority", "/after/0/job", "/after/0/jobs", "/requires/device"} <= found
