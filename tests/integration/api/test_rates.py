"""How often a token may ask, over HTTP and in the bucket itself."""

from __future__ import annotations

import re

import httpx
import pytest

from app.admission import rates as module
from jobs.scripts import Scripts
from jobs.settings import Settings
from jobs.store import Store
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

ROOT = {"name": "root", "scopes": ["admin"]}


@pytest.fixture
def root(api: httpx.Client) -> dict[str, str]:
    made = api.post("/v1/tokens", json=ROOT).json()
    return {"Authorization": f"Bearer {made['token']}"}


def limited(api: httpx.Client, root: dict[str, str], per_minute: int) -> dict[str, str]:
    asked = {"name": "alice", "scopes": ["read"], "requests_per_minute": per_minute}
    made = api.post("/v1/tokens", json=asked, headers=root).json()
    return {"Authorization": f"Bearer {made['token']}"}


def test_a_token_that_asks_too_often(
    api: httpx.Client, root: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing comes back into the bucket while the test runs, however slow it is.
    monkeypatch.setattr(module, "WINDOW_SECONDS", 3600)
    alice = limited(api, root, 3)
    left = []
    for _ in range(3):
        answer = api.get("/v1/jobs", headers=alice)
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"token";q=3;w=3600'
        left += re.findall(r'^"token";r=(\d+);t=\d+$', answer.headers["ratelimit"])
    assert left == ["2", "1", "0"]
    refused = api.get("/v1/jobs", headers=alice)
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 1200
    assert refused.headers["ratelimit"].startswith('"token";r=0;')
    found = refused.json()
    assert (found["type"], found["quota"], found["limit"]) == (
        "urn:cntk-jobs:problem:too-many-requests",
        "requests_per_minute",
        3,
    )
    # It is the token's bucket, not the process's; and the owner's other token has its own.
    with running_api(settings) as other:
        assert other.get("/v1/jobs", headers=alice).status_code == 429
    assert api.get("/v1/jobs", headers=limited(api, root, 3)).status_code == 200
    unlimited = api.get("/v1/jobs", headers=root)
    assert unlimited.status_code == 200
    assert "ratelimit" not in unlimited.headers


def test_downloads_and_refusals_tell_what_is_left(api: httpx.Client, root: dict[str, str]) -> None:
    alice = limited(api, root, 1000)
    for path in ("/v1/jobs/job_none", "/v1/jobs?nothing=1"):
        assert "ratelimit" in api.get(path, headers=alice).headers


def test_nobody_counts_while_redis_is_away(
    api: httpx.Client, root: dict[str, str], valkey: ValkeyServer
) -> None:
    alice = limited(api, root, 1)
    valkey.stop()
    for _ in range(3):
        answer = api.get("/v1/parts", headers=alice)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers


def test_the_bucket_fills_again(store: Store) -> None:
    def take(wanted: int, at_ms: int) -> list[int]:
        store.client.hset("cj:rate:t", "at", (store.now_ms() - at_ms) * 1000)
        return Scripts.run(store, "rate", {"token": "t", "limit": 60, "window_ms": 60_000, "wanted": wanted})

    assert take(100, 0)[:2] == [60, 0]
    taken, left, wait_ms = take(1, 0)
    assert (taken, left) == (0, 0)
    assert 0 < wait_ms <= 1000
    # One a second: after ten and a half there are ten.
    assert take(20, 10_500)[0] == 10
    # It never holds more than its size.
    assert take(1, 10_000_000)[:2] == [1, 59]
    # A clock that was set back empties nothing.
    assert take(1, -5000)[:2] == [1, 58]
