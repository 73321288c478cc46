"""Threads that a job gets from what live workers announce, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jobs import cores
from jobs.store import Store
from jobs.workers import Machine, WorkerEntry, register, unregister
from tests.api_calls import submit


@pytest.fixture
def large(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec whose steps are worth more threads than there may be: 48 million multiplications a row."""
    network = [
        {"name": "h1", "type": "dense", "units": 4000, "input": "x"},
        {"name": "h2", "type": "dense", "units": 4000, "input": "h1"},
        {"name": "scores", "type": "dense", "units": 2, "input": "h2"},
    ]
    return spec | {"network": network, "training": {"epochs": 1, "minibatch_size": 64}}


def worker(name: str, threads: int, cores: int = 64, **labels: str) -> WorkerEntry:
    return WorkerEntry(
        name=name,
        host="h",
        pid=1,
        labels=labels,
        trainer={},
        summary="s",
        started_at="t",
        threads=threads,
        machine=Machine(id="boot", cores=cores),
    )


def threads(api: httpx.Client, spec: dict[str, Any]) -> int:
    """Of a new job, which validation tells as well."""
    told = api.post("/v1/jobs", params={"validate_only": "true"}, json=spec).json()
    made = submit(api, spec)
    assert told["fingerprint"] == made["spec"]["fingerprint"]
    return int(made["spec"]["training"]["threads"])


def test_a_job_has_what_the_least_of_its_workers_announces(
    api: httpx.Client,
    store: Store,
    spec: dict[str, Any],
    large: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cores, "REMEMBERED_SECONDS", -1.0)
    assert threads(api, large) == 1
    register(store, worker("one", 3, room="warm"))
    assert threads(api, large) == 3
    register(store, worker("two", 2, room="cold"))
    assert threads(api, large) == 2
    assert threads(api, large | {"requires": {"room": "warm"}}) == 3
    assert threads(api, large | {"requires": {"room": "hot"}}) == 1
    assert threads(api, large | {"training": large["training"] | {"threads": 7}}) == 7
    assert threads(api, large | {"training": large["training"] | {"threads": "auto"}}) == 2
    assert threads(api, spec) == 1
    unregister(store, "two")
    assert threads(api, large) == 3
    # Two on three cores.
    register(store, worker("one", 3, cores=3))
    register(store, worker("two", 3, cores=3))
    assert threads(api, large) == 1
    shown = {entry["name"]: entry for entry in api.get("/v1/workers").json()["items"]}
    assert {name: entry["threads"] for name, entry in shown.items()} == {"one": 3, "two": 3}
    assert shown["one"]["machine"] == {"id": "boot", "cores": 3}


def test_workers_are_remembered_for_a_moment_but_not_that_there_were_none(
    api: httpx.Client, store: Store, large: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "REMEMBERED_SECONDS", 1e9)
    assert threads(api, large) == 1
    register(store, worker("one", 2))
    assert threads(api, large) == 2
    unregister(store, "one")
    assert threads(api, large) == 2
    monkeypatch.setattr(cores, "REMEMBERED_SECONDS", -1.0)
    assert threads(api, large) == 1


def test_a_fork_keeps_its_parents_threads_unless_it_asks_for_others(
    api: httpx.Client, store: Store, large: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "REMEMBERED_SECONDS", -1.0)
    parent = submit(api, large)
    register(store, worker("one", 2))

    def forked(**training: Any) -> int:
        patch = {"training": {"epochs": 5, **training}}
        answer = api.post(
            f"/v1/jobs/{parent['id']}/fork",
            json=patch,
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.status_code == 202, answer.text
        return int(answer.json()["spec"]["training"]["threads"])

    assert forked() == 1
    assert forked(threads="auto") == forked(threads=None) == 2
