"""The quota of bytes over HTTP, and how bytes are counted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from jobs.queries.usage import Usage, bytes_below
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import submit


def test_files_of_several_names_count_by_part(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two" / "deep"
    one.mkdir()
    two.mkdir(parents=True)
    (one / "model").write_bytes(b"x" * 1000)
    (two / "own").write_bytes(b"x" * 30)
    assert (bytes_below(one), bytes_below(tmp_path / "two")) == (1000, 30)
    os.link(one / "model", two / "model")
    assert (bytes_below(one), bytes_below(tmp_path / "two")) == (500, 530)
    assert bytes_below(tmp_path / "nowhere") == 0


def test_what_is_an_owner_s(
    api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings
) -> None:
    usage = Usage(store, settings.volume)
    assert usage.bytes_of("alice") == 0
    job = submit(api, spec)["id"]
    # As if she had submitted it.
    store.client.zadd("cj:by:owner:alice", {job: 0})
    store.client.sadd("cj:owner:alice:queued", job)
    run = settings.volume.job(job)
    before = usage.bytes_of("alice")
    assert before == bytes_below(run.path) > 0
    # What a job that lives has is measured each time, what has ended once.
    (run.path / "more").write_bytes(b"x" * 100)
    assert usage.bytes_of("alice") == before + 100
    store.client.srem("cj:owner:alice:queued", job)
    assert usage.bytes_of("alice") == before + 100
    (run.path / "late").write_bytes(b"x" * 100)
    assert usage.bytes_of("alice") == before + 100


def test_a_job_that_goes_on_is_measured_anew(
    api: httpx.Client, spec_of: Callable[[httpx.Client], dict[str, Any]], store: Store, settings: Settings
) -> None:
    root = api.post("/v1/tokens", json={"name": "root", "scopes": ["admin"]}).json()
    api.headers["Authorization"] = f"Bearer {root['token']}"
    job = submit(api, spec_of(api))["id"]
    usage = Usage(store, settings.volume)
    claimed = store.claim(job, worker="w", lease_seconds=60)
    assert claimed is not None
    store.transition(claimed, State.FAILED, Reason.DIVERGED)
    ended = usage.bytes_of("root")
    assert store.client.hexists("cj:bytes", job)
    assert api.post(f"/v1/jobs/{job}/retry").status_code == 200
    assert not store.client.hexists("cj:bytes", job)
    (settings.volume.job(job).path / "more").write_bytes(b"x" * 1000)
    assert usage.bytes_of("root") >= ended + 1000


def test_too_many_bytes(api: httpx.Client, spec_of: Callable[[httpx.Client], dict[str, Any]]) -> None:
    root = api.post("/v1/tokens", json={"name": "root", "scopes": ["admin"]}).json()
    as_root = {"Authorization": f"Bearer {root['token']}"}

    def alice_with(limit: int) -> None:
        asked = {"name": "alice", "scopes": ["submit"], "quotas": {"bytes": limit}}
        made = api.post("/v1/tokens", json=asked, headers=as_root).json()
        api.headers["Authorization"] = f"Bearer {made['token']}"

    alice_with(100_000)
    spec = spec_of(api)
    submit(api, spec)
    big = api.post("/v1/datasets", files={"file": ("t.csv", b"a,b\n" + b"1,2\n" * 30_000)})
    assert big.status_code == 403
    found = big.json()
    assert (found["type"], found["quota"], found["limit"]) == (
        "urn:cntk-jobs:problem:quota-exceeded",
        "bytes",
        100_000,
    )
    assert found["value"] > 120_000
    # The newest token of a name says its quotas, to its other tokens too.
    alice_with(10)
    for path in ("/v1/jobs", "/v1/datasets"):
        refused = (
            api.post(path, json=spec) if path == "/v1/jobs" else api.post(path, files={"file": ("t", b"")})
        )
        assert (refused.status_code, refused.json()["quota"]) == (403, "bytes")
    assert api.get("/v1/jobs").status_code == 200
    # Others are not concerned.
    assert api.post("/v1/jobs", json=spec, headers=as_root).status_code == 202


def test_a_full_queue_over_http(api: httpx.Client, spec_of: Callable[[httpx.Client], dict[str, Any]]) -> None:
    root = api.post("/v1/tokens", json={"name": "root", "scopes": ["admin"]}).json()
    as_root = {"Authorization": f"Bearer {root['token']}"}
    asked = {"name": "alice", "scopes": ["submit"], "quotas": {"queued": 1, "running": 1}}
    made = api.post("/v1/tokens", json=asked, headers=as_root).json()
    api.headers["Authorization"] = f"Bearer {made['token']}"
    spec = spec_of(api)
    key = {"Idempotency-Key": "again"}
    submit(api, spec)
    refused = api.post("/v1/jobs", json=spec, headers=key)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert {name: refused.json()[name] for name in ("quota", "value", "limit")} == {
        "quota": "queued",
        "value": 1,
        "limit": 1,
    }
    first = api.get("/v1/jobs").json()["items"][0]["id"]
    api.post(f"/v1/jobs/{first}/cancel")
    # A refusal uses up no key.
    assert api.post("/v1/jobs", json=spec, headers=key).status_code == 202
