"""The client against a server that answers from a script: what it sends again, takes up and refuses."""

import asyncio
import base64
import email.utils
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from client import AsyncClient, Client, DamagedError, JobsApiError, Retries, UnreachableError
from tests.scripted_server import Answer, ScriptedServer, scripted_server

JOB = {"id": "job_1", "status": "queued", "name": "digits"}
BYTES = bytes(range(256)) * 4000
DIGEST = f"sha-256=:{base64.b64encode(hashlib.sha256(BYTES).digest()).decode()}:"
AT_ONCE = Retries(first=0.0)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(server.url, retries=AT_ONCE) as client:
        yield client


def keys(server: ScriptedServer) -> list[str | None]:
    return [request.headers.get("Idempotency-Key") for request in server.asked]


@pytest.mark.parametrize(
    "first",
    [
        Answer(lost=True),
        Answer.problem(503, "unavailable"),
        Answer.problem(409, "in-flight"),
        Answer.problem(429, "too-many-requests", **{"Retry-After": "0"}),
        Answer(502, b"<html>bad gateway</html>"),
    ],
    ids=["lost", "503", "in-flight", "429", "502"],
)
def test_a_submission_is_sent_again_under_the_same_key(
    server: ScriptedServer, client: Client, first: Answer
) -> None:
    server.will(first, Answer.json(JOB))
    assert client.jobs.submit({"name": "digits"}).id == "job_1"
    one, two = keys(server)
    assert one == two
    assert one


def test_every_submission_has_a_key_of_its_own(server: ScriptedServer, client: Client) -> None:
    server.will(Answer.json(JOB), Answer.json(JOB), Answer.json(JOB))
    client.jobs.submit({})
    client.jobs.submit({})
    client.jobs.submit({}, key="nightly-7")
    one, two, three = keys(server)
    assert one != two
    assert three == "nightly-7"


@pytest.mark.parametrize(
    "refusal", [Answer.problem(409, "conflict"), Answer.problem(422, "invalid-input"), Answer.problem(500)]
)
def test_what_would_be_refused_again_is_not_sent_again(
    server: ScriptedServer, client: Client, refusal: Answer
) -> None:
    server.will(refusal, Answer.json(JOB))
    with pytest.raises(JobsApiError) as caught:
        client.jobs.submit({})
    assert caught.value.status == refusal.status
    assert len(server.asked) == 1


def test_a_quota_that_names_no_time_is_not_waited_for(server: ScriptedServer, client: Client) -> None:
    server.will(Answer.problem(429, "quota-used-up"))
    with pytest.raises(JobsApiError, match="quota-used-up"):
        client.jobs.submit({})
    assert len(server.asked) == 1


def test_what_cannot_be_repeated_is_sent_once(server: ScriptedServer, client: Client) -> None:
    # Another attempt at a failed job has no key: a second one may be a second attempt.
    server.will(Answer(lost=True), Answer.json(JOB))
    with pytest.raises(UnreachableError):
        client.jobs.retry("job_1")
    assert len(server.asked) == 1


def test_steering_is_repeated_without_a_key(server: ScriptedServer, client: Client) -> None:
    server.will(Answer(lost=True), Answer.json(JOB))
    client.jobs.cancel("job_1")
    assert keys(server) == [None, None]


def test_there_is_an_end_to_trying(server: ScriptedServer) -> None:
    server.will(*[Answer.problem(503, "unavailable")] * 9)
    with (
        Client(server.url, retries=Retries(count=2, first=0.0)) as client,
        pytest.raises(JobsApiError, match="unavailable"),
    ):
        client.jobs.get("job_1")
    assert len(server.asked) == 3


@pytest.mark.parametrize("form", [lambda: "1", lambda: email.utils.formatdate(time.time() + 2, usegmt=True)])
def test_a_pause_that_the_service_asks_for_is_kept(
    server: ScriptedServer, client: Client, form: Callable[[], str]
) -> None:
    server.will(Answer.problem(503, "unavailable", **{"Retry-After": form()}), Answer.json(JOB))
    begun = time.monotonic()
    client.jobs.get("job_1")
    # A date counts whole seconds.
    assert time.monotonic() - begun > 0.8


def test_a_pause_that_is_too_long_is_handed_on(server: ScriptedServer, client: Client) -> None:
    server.will(Answer.problem(503, "unavailable", **{"Retry-After": "3600"}))
    with pytest.raises(JobsApiError) as caught:
        client.jobs.get("job_1")
    assert caught.value.retry_after == 3600


def test_pauses_grow() -> None:
    error = JobsApiError("away", status=503)
    pauses = [Retries(first=1.0, factor=10.0).pause(tried, error, repeatable=True) for tried in (1, 2, 3)]
    assert [round(pause or 0, -1 * tried) for tried, pause in enumerate(pauses)] == [1, 10, 100]
    assert Retries(count=3).pause(4, error, repeatable=True) is None


def test_a_list_is_read_page_by_page_and_no_further_than_needed(
    server: ScriptedServer, client: Client
) -> None:
    pages = [{"items": [JOB] * 2, "next_page_token": "t"}, {"items": [JOB], "next_page_token": None}]
    server.will(*map(Answer.json, pages), Answer.json(pages[0]))
    assert len(client.jobs.list(status=["queued", "running"])) == 3
    assert [request.path for request in server.asked] == [
        "/v1/jobs?status=queued&status=running",
        "/v1/jobs?status=queued&status=running&page_token=t",
    ]
    assert len(client.jobs.list(2)) == 2
    assert len(server.asked) == 3


FIRST = 'event: started\ndata: {"seq": 1}\nid: 1\n\n: heartbeat\n\nevent: progress\ndata: {"epoch": 2}\n\n'
REST = 'event: epoch\ndata: {"seq": 2}\nid: 2\n\nevent: end\ndata: {"status": "succeeded"}\n\n'


@pytest.mark.parametrize("broken", [Answer.events(FIRST), Answer(200, FIRST.encode() + b"event: ep", cut=99)])
def test_a_stream_is_taken_up_where_it_broke(server: ScriptedServer, client: Client, broken: Answer) -> None:
    broken.headers = {"Content-Type": "text/event-stream"}
    server.will(broken, Answer.problem(503, "unavailable"), Answer.events(REST))
    events = list(client.jobs.follow("job_1"))
    assert [(event.type, event.id) for event in events] == [
        ("started", "1"),
        ("progress", "1"),
        ("epoch", "2"),
        ("end", "2"),
    ]
    assert events[1].data == {"epoch": 2}
    assert [request.headers.get("Last-Event-ID") for request in server.asked] == [None, "1", "1"]


def test_a_stream_that_is_refused_says_so(server: ScriptedServer, client: Client) -> None:
    server.will(Answer.problem(404, "not-found"))
    with pytest.raises(JobsApiError, match="not-found"):
        next(iter(client.jobs.follow("job_0")))


def lines_at(place: str, text: str) -> bytes:
    attempt, _, end = place.partition(":")
    offset = int(end) - len(text.encode())
    told = {"attempt": int(attempt), "stream": "stderr", "offset": offset, "text": text}
    return f"event: lines\ndata: {json.dumps(told)}\nid: {place}\n\n".encode()


def test_a_log_is_followed_over_restarts(server: ScriptedServer, client: Client) -> None:
    kind = {"Content-Type": "text/event-stream"}
    end = b'event: end\ndata: {"status": "succeeded", "attempt": 2}\n\n'
    server.will(
        Answer(200, lines_at("1:4", "one\n") + lines_at("1:10", "l\u00e4uft"), kind),
        Answer(lost=True),
        Answer.problem(503),
        Answer(200, lines_at("2:4", "two\n") + end, kind),
    )
    pieces = list(client.jobs.follow_logs("job_1", tail=50))
    assert [(piece["attempt"], piece["offset"], piece["text"]) for piece in pieces] == [
        (1, 0, "one\n"),
        (1, 4, "l\u00e4uft"),
        (2, 0, "two\n"),
    ]
    assert [request.headers.get("Last-Event-ID") for request in server.asked] == [None, *["1:10"] * 3]
    assert server.asked[0].path == "/v1/jobs/job_1/logs?stream=stderr&tail=50"
    assert not server.answers


def test_several_jobs_are_compared_by_one_request(server: ScriptedServer, client: Client) -> None:
    server.will(Answer.json({"jobs": [{"job": "job_1"}, {"job": "job_2"}]}))
    found = client.jobs.compare("job_1", "job_2", points=10)
    assert [course["job"] for course in found] == ["job_1", "job_2"]
    assert server.asked[0].path == "/v1/metrics?job=job_1&job=job_2&points=10"


def whole(**headers: str) -> Answer:
    return Answer(200, BYTES, {"ETag": '"v1"', "Content-Digest": DIGEST, **headers})


def test_a_download_that_breaks_is_continued(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    broken = whole()
    broken.cut = 700_000
    rest = Answer(206, BYTES[700_000:], {"ETag": '"v1"'})
    server.will(broken, rest)
    told: list[tuple[int, int | None]] = []
    to = tmp_path / "model.dnn"
    client.connection.download("/v1/file", to, progress=lambda *so_far: told.append(so_far))
    assert to.read_bytes() == BYTES
    assert server.asked[1].headers["Range"] == "bytes=700000-"
    assert server.asked[1].headers["If-Range"] == '"v1"'
    assert told[-1] == (len(BYTES), len(BYTES))
    assert list(tmp_path.iterdir()) == [to]


def test_a_download_is_continued_by_another_process(server: ScriptedServer, tmp_path: Path) -> None:
    broken = whole()
    broken.cut = 500_000
    to = tmp_path / "model.dnn"
    server.will(broken, Answer(206, BYTES[500_000:], {"ETag": '"v1"'}))
    with Client(server.url, retries=Retries(count=0)) as client, pytest.raises(UnreachableError):
        client.connection.download("/v1/file", to)
    assert not to.exists()
    with Client(server.url) as client:
        client.connection.download("/v1/file", to)
    assert to.read_bytes() == BYTES


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    # If-Range does not match any more: the service answers with the whole of the new one.
    old = Answer(200, b"old" * 9000, {"ETag": '"v0"', "Content-Digest": "sha-256=:AAAA:"}, cut=9000)
    server.will(old, whole())
    to = client.connection.download("/v1/file", tmp_path / "report.json")
    assert to.read_bytes() == BYTES


def test_a_range_beyond_the_end_begins_anew(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    broken = whole()
    broken.cut = 100
    server.will(broken, Answer.problem(416, "range"), whole())
    assert client.connection.download("/v1/file", tmp_path / "a").read_bytes() == BYTES


def test_other_bytes_than_promised_are_refused(
    server: ScriptedServer, client: Client, tmp_path: Path
) -> None:
    server.will(Answer(200, BYTES[1:], {"Content-Digest": DIGEST}))
    with pytest.raises(DamagedError, match=hashlib.sha256(BYTES).hexdigest()):
        client.connection.download("/v1/file", tmp_path / "model.dnn")
    assert list(tmp_path.iterdir()) == []


def test_an_upload_tells_how_far_it_is(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    paths = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for path in paths:
        path.write_bytes(b"x" * 100_000)
    server.will(Answer(lost=True), Answer.json({"id": "ds_1"}))
    told: list[tuple[int, int]] = []
    client.datasets.add(*paths, progress=lambda *so_far: told.append(so_far), name="both")
    assert told[-1] == (200_000, 200_000)
    assert {total for _, total in told} == {200_000}
    # Both tries sent all of it.
    assert all(request.body.count(b"x") >= 200_000 for request in server.asked)
    assert keys(server)[0] == keys(server)[1]


def test_a_handle_keeps_what_was_last_said(server: ScriptedServer, client: Client) -> None:
    server.will(Answer.json(JOB), Answer.json(JOB | {"status": "cancelled"}))
    job = client.jobs.submit({})
    assert (job["name"], job.ended) == ("digits", False)
    assert job.cancel() is job
    assert (job.status, job.ended, dict(job)) == ("cancelled", True, JOB | {"status": "cancelled"})
    assert repr(job) == "<JobHandle job_1 cancelled>"


def test_the_asynchronous_client_does_the_same(server: ScriptedServer, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("x\n1\n")
    ended = JOB | {"status": "succeeded"}
    server.will(
        Answer(lost=True),
        Answer.json({"id": "ds_1"}),
        Answer.json(JOB),
        Answer.events(FIRST),
        Answer.events(REST),
        Answer.json(ended),
        whole(),
    )

    async def all_of_it() -> tuple[Any, ...]:
        async with AsyncClient(server.url, retries=AT_ONCE) as client:
            dataset = await client.datasets.add(path)
            job = await client.jobs.submit({"dataset": dataset["id"]})
            types = [event.type async for event in job.follow()]
            to = await client.connection.download("/v1/file", tmp_path / "model.dnn")
            return types, job.status, to.read_bytes()

    types, status, received = asyncio.run(all_of_it())
    assert types == ["started", "progress", "epoch", "end"]
    assert status == "succeeded"
    assert received == BYTES


def test_nobody_there(tmp_path: Path) -> None:
    with (
        Client("http://127.0.0.1:9", retries=AT_ONCE) as client,
        pytest.raises(UnreachableError, match="no answer from http://127"),
    ):
        client.jobs.submit({})
