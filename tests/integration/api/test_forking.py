"""Forks: the patched spec, the difference on record, and what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jobs.queue import TokenQueue
from jobs.recovery.rescan import rescan
from jobs.settings import Settings
from jobs.store import Store
from jobs.submission.fork import merged
from tests.api_calls import pointers, submit


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        # The examples of RFC 7396, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result


def fork(api: httpx.Client, job: str, patch: Any, **headers: str) -> dict[str, Any]:
    answer = api.post(f"/v1/jobs/{job}/fork", json=patch, headers=headers)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{found['id']}"
    assert int(answer.headers["retry-after"]) > 0
    return found


def test_a_fork(api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings) -> None:
    parent = submit(api, {**spec, "tags": ["first"]})
    patch = {"name": "again", "training": {"seed": 2}, "learner": {"learning_rate": 0.5}, "tags": None}
    child = fork(api, parent["id"], patch)
    assert child["forked_from"] == {
        "job": parent["id"],
        "patch": patch,
        "diff": [
            {"pointer": "/learner/learning_rate/rate", "from": 0.01, "to": 0.5},
            {"pointer": "/name", "from": "tiny", "to": "again"},
            {"pointer": "/tags", "from": ["first"], "to": []},
            {"pointer": "/training/seed", "from": 1, "to": 2},
        ],
    }
    assert (child["name"], child["status"], child["tags"]) == ("again", "queued", [])
    assert child["spec"]["training"]["epochs"] == spec["training"]["epochs"]
    read = api.get(f"/v1/jobs/{child['id']}").json()
    assert read["forked_from"] == child["forked_from"]
    listed = api.get("/v1/jobs").json()["items"][0]
    assert listed["forked_from"] == {"job": parent["id"], "patch": None, "diff": None}
    assert api.get(f"/v1/jobs/{parent['id']}").json()["forked_from"] is None

    store.client.flushall()
    rescan(store, TokenQueue(store.client), settings)
    assert api.get(f"/v1/jobs/{child['id']}").json()["forked_from"] == child["forked_from"]


def test_a_fork_without_a_patch(api: httpx.Client, spec: dict[str, Any]) -> None:
    parent = submit(api, spec)
    answer = api.post(f"/v1/jobs/{parent['id']}/fork")
    assert answer.status_code == 202, answer.text
    child = answer.json()
    assert child["spec"] == parent["spec"]
    assert child["forked_from"] == {"job": parent["id"], "patch": {}, "diff": []}


def test_a_fork_is_made_once_under_its_key(api: httpx.Client, spec: dict[str, Any]) -> None:
    parent = submit(api, spec)["id"]
    first = fork(api, parent, {"name": "x"}, **{"idempotency-key": "k"})
    assert fork(api, parent, {"name": "x"}, **{"idempotency-key": "k"}) == first
    assert len(api.get("/v1/jobs").json()["items"]) == 2


def test_a_recipe_is_expanded_anew(api: httpx.Client, spec: dict[str, Any]) -> None:
    recipe = {"type": "classifier", "inputs": ["x"], "target": "label", "hidden": [4]}
    parent = submit(api, {"dataset": spec["dataset"], "recipe": recipe, "training": spec["training"]})
    child = fork(api, parent["id"], {"recipe": {"hidden": [5, 6]}})
    assert [layer["name"] for layer in child["spec"]["network"]] == ["hidden_1", "hidden_2", "scores"]
    assert child["recipe"] == "classifier"
    assert "/network" in {change["pointer"] for change in child["forked_from"]["diff"]}
    # What such a fork was posted as can be patched in its turn; without the word recipe the spec is.
    again = fork(api, child["id"], {"recipe": {"hidden": [7]}})
    assert again["spec"]["network"][0]["units"] == 7
    plain = fork(api, child["id"], {"training": {"epochs": 9}})
    assert (plain["recipe"], plain["spec"]["network"]) == (None, child["spec"]["network"])
    wrong = api.post(f"/v1/jobs/{parent['id']}/fork", json={"recipe": {"hiden": [5]}})
    assert pointers(wrong, 422) == {"/recipe/hiden"}


def test_forks_that_are_refused(
    api: httpx.Client, spec: dict[str, Any], settings: Settings, store: Store
) -> None:
    parent = submit(api, spec)["id"]
    url = f"/v1/jobs/{parent}/fork"
    wrong = api.post(url, json={"training": {"epochs": 0, "sed": 1}, "learner": {"type": "adm"}})
    assert {"/training/epochs", "/training/sed"} < pointers(wrong, 422)
    assert pointers(api.post(url, json={"recipe": {"hidden": [3]}}), 422) == {"/recipe"}
    assert api.post(url, content=b"[1]").status_code == 422
    assert api.post("/v1/jobs/job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE/fork", json={}).status_code == 404
    assert len(api.get("/v1/jobs").json()["items"]) == 1
    assert len(list(settings.volume.jobs.iterdir())) == 1
    settings.volume.job(parent).spec.unlink()
    assert api.post(url, json={}).status_code == 409
