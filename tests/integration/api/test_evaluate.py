"""Asking for an evaluation over HTTP. No worker runs here."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from jobs.store import Store
from tests.api_calls import Run, pointers
from tests.practice_trainer import publish


@pytest.fixture
def trained(run: Run) -> Run:
    for step in (1, 2):
        publish(run.directory, step, "chain")
    return run


def evaluate(api: httpx.Client, job_id: str, **asked: Any) -> httpx.Response:
    return api.post(f"/v1/jobs/{job_id}/evaluate", json=asked)


def test_an_evaluation_is_a_job(api: httpx.Client, trained: Run) -> None:
    answer = evaluate(api, trained.id, checkpoint=10, name="early")
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["name"]) == ("evaluation", "queued", "early")
    assert job["spec"]["evaluation"] == {"split": "train", "thresholds": {}}
    assert job["resumed_from"]["checkpoint"] == f"{trained.id}@10"
    lineage = api.get(f"/v1/jobs/{job['id']}/lineage").json()["items"]
    assert [one["mode"] for one in lineage] == ["evaluate", None]
    assert api.post(f"/v1/jobs/{job['id']}/cancel").json()["status"] == "cancelled"


def test_no_body_means_the_newest_checkpoint_on_the_job_s_own_data(api: httpx.Client, trained: Run) -> None:
    answer = api.post(f"/v1/jobs/{trained.id}/evaluate")
    assert answer.status_code == 202, answer.text
    assert answer.json()["resumed_from"]["checkpoint"] == f"{trained.id}@20"
    assert answer.json()["name"] == "tiny on t"


def test_lists_tell_the_kinds_apart(api: httpx.Client, trained: Run) -> None:
    made = evaluate(api, trained.id).json()["id"]

    def listed(**query: str) -> list[str]:
        return [job["id"] for job in api.get("/v1/jobs", params=query).json()["items"]]

    assert listed() == [made, trained.id]
    assert listed(kind="training") == [trained.id]
    assert listed(kind="evaluation") == [made]
    assert listed(kind="evaluation", status="queued") == [made]
    assert listed(kind="training", status="queued") == []
    assert listed(kind="training", status="running") == [trained.id]
    assert pointers(api.get("/v1/jobs", params={"kind": "prediction"}), 422) == {"/query/kind"}


def test_what_is_wrong_is_a_problem(
    api: httpx.Client, trained: Run, store: Store, settings: Settings
) -> None:
    before = sorted(settings.volume.path.rglob("*"))
    assert pointers(evaluate(api, "job_none"), 404) == set()
    assert pointers(evaluate(api, trained.id, split="all", chekpoint=3), 422) == {"/split", "/chekpoint"}
    assert pointers(evaluate(api, trained.id, checkpoint=11, dataset="ds_1", split="test"), 422) == {
        "/checkpoint",
        "/dataset",
    }
    assert pointers(evaluate(api, trained.id, split="test"), 422) == {"/split"}
    assert pointers(api.post(f"/v1/jobs/{trained.id}/evaluate", content=b"["), 422) == {""}
    assert sorted(settings.volume.path.rglob("*")) == before
    assert len(store.page().records) == 1


def test_a_data_set_that_does_not_fit(api: httpx.Client, trained: Run) -> None:
    options = json.dumps({"fields": {"label": {"kind": "categorical"}}})
    content = b"a,b,label\n1,2,x\n3,4,z\n"
    answer = api.post("/v1/datasets", files={"file": ("u.csv", content)}, data={"options": options})
    refused = evaluate(api, trained.id, dataset=answer.json()["id"])
    assert pointers(refused, 409) == set()
    assert [found["pointer"] for found in refused.json()["differences"]] == [
        "/fields/x",
        "/fields/label/classes",
    ]


def test_numbers_that_mean_something_else(api: httpx.Client, trained: Run) -> None:
    """The same shape, scaled by means of its own: without a word the figures would be wrong."""
    fields = {"x": {"columns": ["a", "b"], "standardize": True}, "label": {}}
    content = b"a,b,label\n1,2,x\n3,4,y\n5,5,x\n"
    options = json.dumps({"fields": fields})
    answer = api.post("/v1/datasets", files={"file": ("u.csv", content)}, data={"options": options})
    refused = evaluate(api, trained.id, dataset=answer.json()["id"])
    assert pointers(refused, 409) == set()
    assert [found["pointer"] for found in refused.json()["differences"]] == ["/fields/x/standardized"]
