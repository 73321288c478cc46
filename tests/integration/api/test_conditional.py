"""Entity tags, conditional requests, media types: what HTTP has for saying less, or saying it otherwise."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from jobs.store import Store
from tests.api_calls import Run, pointers, submit

NEVER = '"0-0"'


def tag_of(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def unchanged(answer: httpx.Response, tag: str) -> bool:
    if answer.status_code == 304:
        assert answer.headers["etag"] == tag
        assert answer.content == b""
    return answer.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["", "/{id}", "/{id}/events", "/{id}/metrics", "/{id}/attempts", "/{id}/checkpoints", "/{id}/lineage"],
)
def test_what_has_not_changed_is_not_sent_again(api: httpx.Client, run: Run, path: str) -> None:
    url = f"/v1/jobs{path.format(id=run.id)}"
    tag = tag_of(api.get(url))
    assert tag.startswith('"')
    for named in (tag, f"W/{tag}", "*", f'"other", {tag}'):
        assert unchanged(api.get(url, headers={"if-none-match": named}), tag), named
    for other in (NEVER, "nonsense", tag.strip('"')):
        assert not unchanged(api.get(url, headers={"if-none-match": other}), tag), other


@pytest.mark.parametrize("path", ["/v1/datasets", "/v1/models", "/v1/parts", "/v1/workers"])
def test_the_rest_too(api: httpx.Client, spec: dict[str, Any], path: str) -> None:
    tag = tag_of(api.get(path))
    assert unchanged(api.get(path, headers={"if-none-match": tag}), tag)


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("", "*/*"),
        ("/events", "application/json"),
        # A stream without end: what its head says is all that is waited for.
        ("/events", "text/event-stream"),
        ("/nothing", "*/*"),
    ],
)
def test_head_is_the_head_of_what_get_is_answered(
    api: httpx.Client, run: Run, path: str, accept: str
) -> None:
    url, headers = f"/v1/jobs/{run.id}{path}", {"accept": accept}
    with api.stream("GET", url, headers=headers) as got:
        head = api.head(url, headers=headers)
        assert (head.status_code, head.content) == (got.status_code, b"")
        # A job's timings are longer numbers from one moment to the next.
        of_now = {"date", "x-request-id", "transfer-encoding", "content-length"}
        assert {n: v for n, v in head.headers.items() if n not in of_now} == {
            n: v for n, v in got.headers.items() if n not in of_now
        }
    if "etag" in head.headers:
        assert unchanged(api.head(url, headers=headers | {"if-none-match": tag_of(head)}), tag_of(head))
    assert ("content-length" in head.headers) == (accept != "text/event-stream")


def test_a_tag_says_when_a_job_has_changed(api: httpx.Client, run: Run) -> None:
    url = f"/v1/jobs/{run.id}"
    begun = tag_of(api.get(url))
    assert tag_of(api.get(url)) == begun, "timings run on, and are no change"
    listed = tag_of(api.get("/v1/jobs"))
    run.report(progress={"epoch": 1})
    assert tag_of(api.get(url)) != begun
    assert tag_of(api.get("/v1/jobs")) != listed


def test_a_queued_job_s_place_is_part_of_its_tag(api: httpx.Client, spec: dict[str, Any]) -> None:
    first, second = (submit(api, spec)["id"] for _ in range(2))
    tag = tag_of(api.get(f"/v1/jobs/{second}"))
    api.post(f"/v1/jobs/{first}/cancel")
    assert tag_of(api.get(f"/v1/jobs/{second}")) != tag


def test_an_edit_of_what_somebody_else_has_edited_is_refused(
    api: httpx.Client, spec: dict[str, Any], store: Store
) -> None:
    url = f"/v1/jobs/{submit(api, spec)['id']}"
    seen = tag_of(api.get(url))
    mine = api.patch(url, json={"name": "mine"}, headers={"if-match": f'"0-other", {seen}'})
    assert mine.status_code == 200
    theirs = api.patch(url, json={"name": "theirs"}, headers={"if-match": seen})
    assert theirs.status_code == 412
    assert theirs.json()["type"] == "urn:cntk-jobs:problem:precondition-failed"
    assert api.get(url).json()["name"] == "mine"
    assert api.patch(url, json={"name": "theirs"}, headers={"if-match": tag_of(mine)}).status_code == 200
    for none in ("nonsense", '"1-"', ""):
        assert api.patch(url, json={"name": "x"}, headers={"if-match": none}).status_code == 412, none
    assert api.patch(url, json={"name": "x"}, headers={"if-match": "*"}).status_code == 200
    absent = api.patch("/v1/jobs/job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE", json={}, headers={"if-match": seen})
    assert absent.status_code == 404


def test_progress_does_not_hinder_an_edit(api: httpx.Client, run: Run) -> None:
    url = f"/v1/jobs/{run.id}"
    seen = tag_of(api.get(url))
    run.report(progress={"epoch": 1})
    assert api.patch(url, json={"name": "x"}, headers={"if-match": seen}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/x-www-form-urlencoded", None]
)
def test_bodies_that_are_read(api: httpx.Client, spec: dict[str, Any], kind: str | None) -> None:
    body = httpx.Request("POST", "http://x", json=spec).content
    headers = {"content-type": kind} if kind else {}
    assert api.post("/v1/jobs", content=body, headers=headers).status_code == 202


@pytest.mark.parametrize("kind", ["text/plain", "application/yaml", "application/json; charset=latin-1"])
def test_bodies_of_another_kind(api: httpx.Client, kind: str) -> None:
    for method, path in (("POST", "/v1/jobs"), ("PATCH", "/v1/jobs/job_1"), ("POST", "/v1/jobs/job_1/retry")):
        answer = api.request(method, path, content=b"{}", headers={"content-type": kind})
        assert pointers(answer, 415) == {"/header/content-type"}, path


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("application/*;q=0.5, text/html", 200),
        ("text/html,application/xhtml+xml,*/*;q=0.8", 200),
        ("text/html", 406),
        ("application/json;q=0, text/*", 406),
        ("image/png, application/xml;q=0.9", 406),
    ],
)
def test_what_a_caller_takes(api: httpx.Client, accept: str, status: int) -> None:
    answer = api.get("/v1/jobs", headers={"accept": accept})
    assert answer.status_code == status
    if status == 406:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:cntk-jobs:problem:not-acceptable"
        assert "application/json" in answer.json()["detail"]


def test_what_has_several_shapes(api: httpx.Client, run: Run) -> None:
    url = f"/v1/jobs/{run.id}/logs"
    assert api.get(url, headers={"accept": "text/plain"}).headers["content-type"].startswith("text/plain")
    assert api.get(url, headers={"accept": "image/png"}).status_code == 406
    # Nothing is done for somebody who could not take the answer.
    assert api.post(f"/v1/jobs/{run.id}/cancel", headers={"accept": "text/html"}).status_code == 406
    assert api.get(f"/v1/jobs/{run.id}").json()["cancel_requested"] is False
