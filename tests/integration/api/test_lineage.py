"""Continuing and following back over HTTP."""

from __future__ import annotations

import shutil
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from jobs.store import Store
from tests.api_calls import pointers, submit
from tests.practice_trainer import publish

Spec = dict[str, Any]


@pytest.fixture
def first(api: httpx.Client, spec: Spec, settings: Settings) -> str:
    """A job of 3 epochs with a checkpoint at its end, the last two epochs without a better value."""
    job_id = str(submit(api, spec)["id"])
    publish(settings.volume.job(job_id), 15, "chain", epoch=3, stale=2)
    return job_id


def start(job: str, mode: str = "exact") -> Spec:
    return {"start_from": {"job": job, "checkpoint": "latest", "mode": mode}}


def test_an_extended_job(api: httpx.Client, spec: Spec, first: str) -> None:
    job = submit(api, spec | start(first) | {"training": spec["training"] | {"epochs": 5}})
    assert job["resumed_from"] == {
        "job": first,
        "checkpoint": f"{first}@150",
        "mode": "exact",
        "step": 15,
        "samples": 150,
        "epoch": 3,
    }
    assert api.get(f"/v1/jobs/{job['id']}").json()["resumed_from"] == job["resumed_from"]


@pytest.mark.parametrize("mode", ["exact", "continue"])
@pytest.mark.parametrize(
    ("training", "pointer"),
    [
        ({}, "/training/epochs"),
        ({"epochs": 2}, "/training/epochs"),
        ({"epochs": 5, "early_stopping": {"patience": 2}}, "/training/early_stopping/patience"),
    ],
)
def test_nothing_left_to_train(
    api: httpx.Client, spec: Spec, first: str, mode: str, training: Spec, pointer: str
) -> None:
    further = spec | start(first, mode) | {"training": spec["training"] | training}
    for query in ({}, {"validate_only": "true"}):
        answer = api.post("/v1/jobs", json=further, params=query)
        assert pointers(answer, 422) == {pointer}
        assert "nothing is left to train" in answer.json()["detail"]
    assert len(api.get("/v1/jobs").json()["items"]) == 1


def test_another_rate_is_for_mode_continue(api: httpx.Client, spec: Spec, first: str) -> None:
    slower = spec | {"learner": {"type": "sgd", "learning_rate": 0.001}}
    slower["training"] = spec["training"] | {"epochs": 5}
    refused = api.post("/v1/jobs", json=slower | start(first))
    assert refused.status_code == 409
    assert refused.json()["differences"] == [
        {"pointer": "/learner/learning_rate/rate", "here": 0.001, "there": 0.01}
    ]
    job = submit(api, slower | start(first, "continue"))
    assert job["resumed_from"]["mode"] == "continue"
    fork = api.post(f"/v1/jobs/{first}/fork", json={"name": "fork"}).json()
    children = api.get("/v1/jobs", params={"parent": first}).json()["items"]
    assert [child["id"] for child in children] == [fork["id"], job["id"]]
    items = api.get(f"/v1/jobs/{job['id']}/lineage").json()["items"]
    assert [(item["job"], item["checkpoint"], item["mode"]) for item in items] == [
        (job["id"], f"{first}@150", "continue"),
        (first, None, None),
    ]
    assert items[0]["changed"] == [
        *refused.json()["differences"],
        {"pointer": "/training/epochs", "here": 5, "there": 3},
    ]


def test_a_lineage_outlives_records_and_run_directories(
    api: httpx.Client, spec: Spec, first: str, store: Store, settings: Settings
) -> None:
    job = submit(api, spec | start(first) | {"training": spec["training"] | {"epochs": 5}})

    def ancestor() -> Spec:
        found: Spec = api.get(f"/v1/jobs/{job['id']}/lineage").json()["items"][1]
        return found

    assert (ancestor()["found"], ancestor()["status"]) == ("record", "queued")
    store.client.delete(f"cj:job:{first}")
    assert (ancestor()["found"], ancestor()["name"]) == ("volume", "tiny")
    shutil.rmtree(settings.volume.job(first).path)
    assert (ancestor()["found"], ancestor()["name"]) == ("nothing", None)


def test_the_lineage_of_no_job(api: httpx.Client) -> None:
    assert api.get("/v1/jobs/job_none/lineage").status_code == 404
