"""Tokens over HTTP: the first one, what each scope may, whose things are, and their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from jobs.queue import TokenQueue
from jobs.recovery.rescan import rescan
from jobs.settings import Settings
from jobs.store import Store
from tests.api_calls import pointers, submit
from tests.running_api import running_api

SpecOf = Callable[[httpx.Client], dict[str, Any]]


def make(api: httpx.Client, name: str, *scopes: str, **more: Any) -> httpx.Client:
    """A client that sends a new token."""
    answer = api.post("/v1/tokens", json={"name": name, "scopes": scopes, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/tokens/{answer.json()['id']}"
    return with_token(api, answer.json()["token"])


def with_token(api: httpx.Client, token: str) -> httpx.Client:
    return httpx.Client(base_url=api.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture
def root(api: httpx.Client) -> Iterator[httpx.Client]:
    """An administrator of a service that asks for tokens."""
    with make(api, "root", "admin") as root:
        yield root


def test_the_first_token_closes_the_door(api: httpx.Client, settings: Settings) -> None:
    me = api.get("/v1/me").json()
    assert (me["name"], me["scope"], me["token"], me["use"]) == (None, "admin", None, None)
    assert me["quotas"] == {"queued": None, "running": None, "bytes": None}
    refused = api.post("/v1/tokens", json={"name": "alice", "scopes": ["submit"]})
    assert pointers(refused, 422) == {"/scopes"}
    assert api.get("/v1/jobs").status_code == 200
    with make(api, "root", "admin") as root:
        refused = api.get("/v1/jobs")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.headers["content-type"] == "application/problem+json"
        assert root.get("/v1/jobs").status_code == 200
        assert root.get("/v1/me").json()["name"] == "root"
        assert api.get("/healthz").status_code == 200
        # The tokens lie on the volume: another process asks for them from its first request on.
        with running_api(settings) as other:
            assert other.get("/v1/jobs").status_code == 401
            answer = other.get("/v1/jobs", headers={"Authorization": root.headers["authorization"]})
            assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer wrong", "Basic cm9vdDpyb290", "Bearer \u00e9".encode("latin-1")]
)
def test_not_a_token(root: httpx.Client, header: str | bytes) -> None:
    refused = root.get("/v1/jobs", headers={"Authorization": header})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")


def test_what_each_scope_may(root: httpx.Client, spec_of: SpecOf) -> None:
    with make(root, "rita", "read") as reader, make(root, "sam", "submit") as submitter:
        spec = spec_of(submitter)
        assert submit(submitter, spec)["owner"] == "sam"
        for path in ("/v1/jobs", "/v1/datasets", "/v1/parts", "/v1/workers", "/v1/me"):
            assert reader.get(path).status_code == submitter.get(path).status_code == 200
        refused = reader.post("/v1/jobs", json=spec)
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:cntk-jobs:problem:forbidden"
        assert "scope submit" in refused.json()["detail"]
        assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="submit"'
        for client in (reader, submitter):
            assert client.get("/v1/tokens").status_code == 403
            assert client.post("/v1/tokens", json={"name": "x", "scopes": ["admin"]}).status_code == 403
            assert client.delete(f"/v1/tokens/{root.get('/v1/me').json()['token']}").status_code == 403
            assert client.post("/v1/rescan").status_code == 403
        assert root.post("/v1/rescan").status_code == 200


def test_everybody_changes_only_what_is_his(root: httpx.Client, spec_of: SpecOf, store: Store) -> None:
    with make(root, "alice", "submit") as alice, make(root, "bob", "submit") as bob:
        spec = spec_of(alice)
        assert root.get(f"/v1/datasets/{spec['dataset']}").json()["owner"] == "alice"
        job = submit(alice, spec)["id"]
        assert bob.get(f"/v1/jobs/{job}").json()["owner"] == "alice"
        for method, path in (
            ("POST", f"/v1/jobs/{job}/cancel"),
            ("POST", f"/v1/jobs/{job}/pause"),
            ("PUT", f"/v1/jobs/{job}/checkpoints/5/pin"),
            ("DELETE", f"/v1/datasets/{spec['dataset']}"),
        ):
            refused = bob.request(method, path)
            assert refused.status_code == 403, path
            assert refused.json()["owner"] == "alice"
        # What is not there is nobody's secret.
        assert bob.post("/v1/jobs/job_none/cancel").status_code == 404
        assert alice.post(f"/v1/jobs/{job}/pause").json()["status"] == "paused"
        assert root.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
        # Data of others may be used, and what is made with it is one's own.
        assert submit(bob, spec)["owner"] == "bob"


def test_the_owner_outlives_redis(
    root: httpx.Client, spec_of: SpecOf, store: Store, settings: Settings
) -> None:
    with make(root, "alice", "submit") as alice:
        job = submit(alice, spec_of(alice))["id"]
        store.client.flushall()
        rescan(store, TokenQueue(store.client), settings)
        assert alice.get(f"/v1/jobs/{job}").json()["owner"] == "alice"
        assert alice.post(f"/v1/jobs/{job}/cancel").status_code == 200


def test_lists_show_everything_but_tokens(root: httpx.Client) -> None:
    with make(root, "alice", "submit", quotas={"running": 2}, requests_per_minute=600) as alice:
        page = root.get("/v1/tokens", params={"page_size": 1})
        assert alice.headers["authorization"][7:] not in page.text
        first = page.json()["items"][0]
        assert (first["name"], first["scopes"], first["requests_per_minute"]) == ("alice", ["submit"], 600)
        assert first["quotas"] == {"queued": None, "running": 2, "bytes": None}
        assert "sha256" not in first
        rest = root.get("/v1/tokens", params={"page_token": page.json()["next_page_token"]}).json()
        assert [token["name"] for token in rest["items"]] == ["root"]
        assert root.get(f"/v1/tokens/{first['id']}").json() == first
        assert root.get("/v1/tokens/tok_none").status_code == 404


def test_revoked(root: httpx.Client, settings: Settings) -> None:
    with make(root, "alice", "submit") as alice, running_api(settings) as second:
        second.headers["Authorization"] = alice.headers["authorization"]
        assert alice.get("/v1/jobs").status_code == second.get("/v1/jobs").status_code == 200
        token = alice.get("/v1/me").json()["token"]
        for _ in range(2):
            assert root.delete(f"/v1/tokens/{token}").status_code == 204
        refused = alice.get("/v1/jobs")
        assert refused.status_code == 401
        assert refused.json()["detail"] == "this token was revoked"
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
        assert root.get(f"/v1/tokens/{token}").json()["revoked_at"] is not None
        # Other processes look at the volume once a second.
        while second.get("/v1/jobs").status_code != 401:
            pass
        own = root.get("/v1/me").json()["token"]
        assert root.delete(f"/v1/tokens/{own}").status_code == 409


def test_tokens_of_the_settings_are_administrators(settings: Settings) -> None:
    known = settings.model_copy(update={"api_tokens": (SecretStr("one"), SecretStr("two"))})
    with running_api(known) as api, with_token(api, "two") as root:
        me = root.get("/v1/me").json()
        assert (me["name"], me["scope"], me["token"], me["expires_at"]) == ("admin", "admin", None, None)
        with make(root, "alice", "read") as alice:
            assert alice.get("/v1/jobs").status_code == 200


def test_me_tells_quotas_and_what_is_used(root: httpx.Client, spec_of: SpecOf, settings: Settings) -> None:
    quotas = {"queued": 5, "running": 1, "bytes": 10_000_000}
    with make(root, "alice", "submit", quotas=quotas, requests_per_minute=6000) as alice:
        first = alice.get("/v1/me").json()
        assert (first["quotas"], first["requests_per_minute"]) == (quotas, 6000)
        assert first["use"] == {"queued": 0, "running": 0, "bytes": 0}
        spec = spec_of(alice)
        submit(alice, spec)
        paused = submit(alice, spec)["id"]
        alice.post(f"/v1/jobs/{paused}/pause").raise_for_status()
        use = alice.get("/v1/me").json()["use"]
        assert (use["queued"], use["running"]) == (2, 0)
        stored = settings.volume.dataset(spec["dataset"]).path
        assert use["bytes"] > sum(path.stat().st_size for path in stored.iterdir())
        assert root.get("/v1/me").json()["use"] == {"queued": 0, "running": 0, "bytes": 0}


def test_a_token_is_changed(root: httpx.Client, spec_of: SpecOf) -> None:
    with make(root, "alice", "submit", quotas={"queued": 5, "running": 1}) as alice:
        place = f"/v1/tokens/{alice.get('/v1/me').json()['token']}"
        change = {"quotas": {"queued": 0, "running": None}, "requests_per_minute": 600}
        edited = root.patch(place, json=change)
        assert edited.status_code == 200, edited.text
        assert edited.json()["quotas"] == {"queued": 0, "running": None, "bytes": None}
        assert root.get(place).json() == edited.json()
        # It counts at once, and the token reads as before.
        refused = alice.post("/v1/jobs", json=spec_of(alice))
        assert (refused.status_code, refused.json()["quota"]) == (429, "queued")
        assert alice.get("/v1/me").headers["ratelimit-policy"] == '"token";q=600;w=60'
        renamed = root.patch(place, json={"name": "alicia", "scopes": ["read"], "quotas": None}).json()
        assert (renamed["name"], renamed["scopes"]) == ("alicia", ["read"])
        assert set(renamed["quotas"].values()) == {None}
        assert alice.get("/v1/me").json()["name"] == "alicia"
        assert alice.post("/v1/jobs", json={}).status_code == 403
        assert alice.patch(place, json={"scopes": ["admin"]}).status_code == 403
        root.patch(place, json={"expires_at": "2100-01-01T00:00:00Z"}).raise_for_status()
        assert root.patch(place, json={"expires_at": None}).json()["expires_at"] is None
        assert root.patch(place, json={}).json()["name"] == "alicia"


def test_changes_of_a_token_that_are_refused(root: httpx.Client) -> None:
    own = f"/v1/tokens/{root.get('/v1/me').json()['token']}"
    wrong = {"name": None, "scopes": None, "expires_at": "2001-01-01T00:00:00Z"}
    assert pointers(root.patch(own, json=wrong), 422) == {"/name", "/scopes", "/expires_at"}
    wrong = {"nam": "x", "scopes": [], "quotas": {"running": 0}, "requests_per_minute": "many"}
    found = {"/nam", "/scopes", "/quotas/running", "/requests_per_minute"}
    assert pointers(root.patch(own, json=wrong), 422) == found
    refused = root.patch(own, json={"scopes": ["submit"]})
    assert refused.status_code == 409
    assert "the last token with the scope admin" in refused.json()["detail"]
    assert root.get("/v1/me").json()["scope"] == "admin"
    with make(root, "alice", "submit") as alice:
        other = f"/v1/tokens/{alice.get('/v1/me').json()['token']}"
        root.delete(other)
        assert root.patch(other, json={"name": "bob"}).status_code == 409
    assert root.patch("/v1/tokens/tok_none", json={"name": "bob"}).status_code == 404
