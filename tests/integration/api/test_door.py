"""What every answer has, whatever it is of; and the line that each change leaves."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from app.middleware.request_ids import request_id
from app.routes import jobs as jobs_room
from jobs.settings import Settings
from tests.api_calls import pointers, submit


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/v1/jobs/job_none", "/v1/nowhere", "/healthz", "/docs", "/nowhere"]
)
def test_headers_that_browsers_heed(api: httpx.Client, path: str) -> None:
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-request-id"]
    kept = "no-store" if path.startswith("/v1/") else "no-cache" if path == "/docs" else None
    assert headers.get("cache-control") == kept
    for elsewhere in ("https:", "unsafe-inline", "*"):
        assert elsewhere not in headers["content-security-policy"]


def test_no_other_origin_is_let_in(api: httpx.Client) -> None:
    asked = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    answer = api.options("/v1/jobs", headers=asked)
    assert answer.status_code in (403, 405)
    own = api.get("/v1/jobs", headers={"origin": str(api.base_url).rstrip("/")})
    for each in (answer, own):
        assert not [name for name in each.headers if name.startswith("access-control-")]


def test_request_ids(api: httpx.Client) -> None:
    ids = {api.get("/v1/me").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    mine = "trace/42:a.b-c"
    assert api.get("/v1/me", headers={"X-Request-Id": mine}).headers.get_list("x-request-id") == [mine]
    for forged in ('"quoted"', "two words", "x" * 129, ""):
        assert api.get("/v1/me", headers={"X-Request-Id": forged}).headers["x-request-id"] not in (forged, "")


def test_a_failure_of_ours_has_them_too(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], settings: Settings
) -> None:
    seen: list[str | None] = []

    def fails(*_: object) -> None:
        # In the thread of the endpoint, too.
        seen.append(request_id.get())
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(jobs_room, "validate", fails)
    asked = {"validate_only": "true"}
    answer = api.post("/v1/jobs", params=asked, json=spec, headers={"X-Request-Id": "failing"})
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:cntk-jobs:problem:internal"
    assert "fault of ours" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"] == "failing"
    assert seen == ["failing"]
    # The server has closed the connection behind it.
    line = (settings.home / "audit.jsonl").read_text().splitlines()[-1]
    assert (json.loads(line)["request"], json.loads(line)["status"]) == ("failing", 500)


def test_a_line_for_each_change(api: httpx.Client, spec: dict[str, Any], settings: Settings) -> None:
    job = submit(api, spec)["id"]
    api.post(f"/v1/jobs/{job}/cancel", headers={"X-Request-Id": "mine"})
    api.post("/v1/jobs", json={})
    api.get("/v1/jobs")
    lines = [json.loads(line) for line in (settings.home / "audit.jsonl").read_text().splitlines()]
    assert [(line["method"], line["path"], line["resource"], line["status"]) for line in lines] == [
        ("POST", "/v1/datasets", spec["dataset"], 201),
        ("POST", "/v1/jobs", job, 202),
        ("POST", f"/v1/jobs/{job}/cancel", job, 200),
        ("POST", "/v1/jobs", None, 422),
    ]
    assert lines[2]["request"] == "mine"
    assert {line["address"] for line in lines} == {"127.0.0.1"}
    assert {line["caller"] for line in lines} == {None}
    first = api.get("/v1/audit", params={"page_size": 3}).json()
    rest = api.get("/v1/audit", params={"page_token": first["next_page_token"]}).json()
    assert [*first["items"], *rest["items"]] == lines[::-1]
    assert rest["next_page_token"] is None
    assert pointers(api.get("/v1/audit", params={"page_token": "-1"}), 422) == {"/query/page_token"}


def test_the_audit_names_callers_and_leaves_strangers_out(api: httpx.Client, settings: Settings) -> None:
    made = api.post("/v1/tokens", json={"name": "root", "scopes": ["admin"]}).json()
    root = {"Authorization": f"Bearer {made['token']}"}
    assert api.post("/v1/jobs", json={}).status_code == 401
    reader = api.post("/v1/tokens", json={"name": "rita", "scopes": ["read"]}, headers=root).json()
    as_reader = {"Authorization": f"Bearer {reader['token']}"}
    assert api.post("/v1/jobs", json={}, headers=as_reader).status_code == 403
    assert api.get("/v1/audit", headers=as_reader).status_code == 403
    found = api.get("/v1/audit", headers=root).json()["items"]
    assert [(line["caller"], line["token"], line["resource"], line["status"]) for line in found] == [
        ("rita", reader["id"], None, 403),
        ("root", made["id"], reader["id"], 201),
        (None, None, made["id"], 201),
    ]
    assert made["token"] not in (settings.home / "audit.jsonl").read_text()


def test_a_volume_that_takes_no_line_stops_nobody(
    api: httpx.Client, spec: dict[str, Any], settings: Settings
) -> None:
    (settings.home / "audit.jsonl").unlink()
    (settings.home / "audit.jsonl").mkdir()
    submit(api, spec)
