"""The API as a whole: errors of every layer, tokens, readiness, and outages of Redis."""

from __future__ import annotations

import http.client

import httpx
import pytest
from pydantic import SecretStr

from jobs.settings import Settings
from jobs.store import Store
from jobs.workers import WorkerEntry, register
from tests.running_api import running_api
from tests.running_service import until
from tests.valkey_server import ValkeyServer


def is_problem(answer: httpx.Response, status: int, slug: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) >= {"type", "title", "status", "detail", "errors"}
    assert problem["type"] == f"urn:cntk-jobs:problem:{slug}"
    assert problem["status"] == status
    assert problem["detail"]


@pytest.mark.parametrize("path", ["/nothing", "/v1", "/v1/nothing", "/v1/jobs/", "/v1/datasets/ds_1/columns"])
def test_no_such_path(api: httpx.Client, path: str) -> None:
    is_problem(api.get(path), 404, "not-found")


def test_what_may_have_been_meant_is_told(api: httpx.Client) -> None:
    assert api.get("/v1/job").json()["detail"] == "there is nothing at '/v1/job'; did you mean '/v1/jobs'?"
    assert "/docs" in api.get("/elsewhere").json()["detail"]


def test_method_not_allowed(api: httpx.Client) -> None:
    answer = api.put("/v1/jobs")
    is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert "PUT is not answered here; these are: GET, HEAD, POST" in answer.json()["detail"]


def test_unknown_parameters_are_named_together(api: httpx.Client) -> None:
    answer = api.get("/v1/parts", params={"kind": "layer", "q": "x"})
    is_problem(answer, 422, "invalid-input")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/query/kind", "/query/q"]


def test_path_that_is_no_number(api: httpx.Client) -> None:
    answer = api.put("/v1/jobs/job_1/checkpoints/last/pin")
    is_problem(answer, 422, "invalid-input")
    assert answer.json()["errors"][0]["pointer"] == "/path/samples"


@pytest.mark.parametrize("checkpoint", ["job_1", "job_1@last", "@5", "job_1@5"])
def test_no_such_checkpoint(api: httpx.Client, checkpoint: str) -> None:
    is_problem(api.get(f"/v1/checkpoints/{checkpoint}"), 404, "not-found")


@pytest.mark.parametrize("header", [{"origin": "https://elsewhere.example"}, {"host": "elsewhere.example"}])
def test_pages_of_other_sites_are_turned_away_without_tokens(
    api: httpx.Client, header: dict[str, str]
) -> None:
    is_problem(api.get("/v1/jobs", headers=header), 403, "forbidden")
    own = {"origin": str(api.base_url).rstrip("/")}
    assert api.get("/v1/jobs", headers=own).status_code == 200


def test_tokens(settings: Settings) -> None:
    tokens = (SecretStr("first"), SecretStr("sécond"))
    with running_api(settings.model_copy(update={"api_tokens": tokens})) as api:
        for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic Zmlyc3Q6"}):
            answer = api.get("/v1/jobs", headers=given)
            is_problem(answer, 401, "unauthorized")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert api.get("/v1/jobs", headers={"authorization": "Bearer first"}).status_code == 200
        # The body of a stranger is not even read.
        is_problem(api.post("/v1/jobs", content=b"{"), 401, "unauthorized")
        is_problem(api.post("/v1/datasets", content=b""), 401, "unauthorized")
        assert api.get("/healthz").status_code == 200
        assert api.get("/readyz").status_code == 200


def test_readiness_names_what_is_missing(api: httpx.Client, settings: Settings, valkey: ValkeyServer) -> None:
    ready = api.get("/readyz")
    assert ready.status_code == 200
    assert {check["name"]: check["ok"] for check in ready.json()["checks"]} == {
        "redis": True,
        "volume": True,
        "workers": False,
    }
    entry = WorkerEntry(
        name="w", host="h", pid=1, labels={}, trainer={"cntk_version": "2.7"}, summary="s", started_at="t"
    )
    store = Store.open(settings)
    register(store, entry)
    store.client.close()
    assert {check["name"]: check["ok"] for check in api.get("/readyz").json()["checks"]}["workers"] is True
    assert api.get("/v1/workers").json() == {"items": [entry.model_dump() | {"job": None}]}

    settings.volume.incoming.rmdir()
    without_volume = api.get("/readyz")
    assert without_volume.status_code == 503
    settings.volume.incoming.mkdir()

    valkey.stop()
    without_redis = api.get("/readyz")
    assert without_redis.status_code == 503
    assert without_redis.json()["ready"] is False
    assert api.get("/healthz").json() == {"status": "alive"}


def test_redis_away_and_back(api: httpx.Client, settings: Settings, valkey: ValkeyServer) -> None:
    valkey.stop()
    for path in ("/v1/jobs", "/v1/workers"):
        answer = api.get(path)
        is_problem(answer, 503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert api.get("/v1/parts").status_code == 200
    valkey.start()
    assert api.get("/v1/jobs").status_code == 200


def test_lost_token_is_replaced_by_the_reconciler(settings: Settings, valkey: ValkeyServer) -> None:
    """The task in the background runs, and goes on after an outage."""
    with running_api(settings) as api, valkey.client() as client:
        valkey.stop()
        assert api.get("/v1/jobs").status_code == 503
        valkey.start()
        # An ended job whose events nobody has copied yet: the next pass does.
        client.sadd("cj:unjournaled", "job_x")
        until(lambda: client.scard("cj:unjournaled") == 0 or None, "a pass of the reconciler")


def test_fault_of_ours_tells_nothing(api: httpx.Client, valkey: ValkeyServer) -> None:
    with valkey.client() as client:
        client.set("cj:job:job_1", "not a hash")
        answer = api.get("/v1/jobs/job_1")
    is_problem(answer, 500, "internal")
    assert "WRONGTYPE" not in answer.text


def test_request_that_is_no_http(api: httpx.Client) -> None:
    connection = http.client.HTTPConnection(api.base_url.host, api.base_url.port)
    connection.putrequest("POST", "/v1/jobs")
    connection.putheader("content-length", "many")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_openapi_is_served(api: httpx.Client) -> None:
    assert api.get("/openapi.json").json()["info"]["title"] == "CNTK jobs"
    assert api.get("/docs").status_code == 200
