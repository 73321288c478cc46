"""Jobs over HTTP: submitting, paging, cancelling, and what the API tells of a job's course.

No worker runs here: the tests move jobs on through the store, as a worker would.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer
from trainer.layout import append_line

ROWS = b"".join(b"%d,%d,%s\n" % (i % 7, i % 5, b"xy"[i % 2 : i % 2 + 1]) for i in range(40))


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyServer) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, api_tokens=())


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as client:
        yield client


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store.open(settings)
    yield store
    store.client.close()


@pytest.fixture
def spec(api: httpx.Client) -> dict[str, Any]:
    """A spec that fits a data set that is there."""
    options = json.dumps(
        {"columns": ["a", "b", "label"], "fields": {"x": {"columns": ["a", "b"]}, "label": {}}}
    )
    answer = api.post("/v1/datasets", files={"file": ("t.csv", ROWS)}, data={"options": options})
    assert answer.status_code == 201, answer.text
    return {
        "name": "tiny",
        "dataset": answer.json()["id"],
        "inputs": {"x": {"field": "x"}},
        "network": [{"name": "scores", "type": "dense", "units": 2, "input": "x"}],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "label"}],
        "learner": {"type": "sgd"},
        "training": {"epochs": 3, "minibatch_size": 8, "seed": 1},
    }


def submit(api: httpx.Client, spec: dict[str, Any]) -> dict[str, Any]:
    answer = api.post("/v1/jobs", json=spec)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{found['id']}"
    return found


def pointers(answer: httpx.Response, status: int) -> set[str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return {fault["pointer"] for fault in answer.json()["errors"]}


def test_submitted_job(api: httpx.Client, spec: dict[str, Any]) -> None:
    job = submit(api, spec)
    assert (job["name"], job["status"], job["reason"], job["attempt"]) == ("tiny", "queued", "submitted", 0)
    assert job["spec"]["dataset"] == spec["dataset"]
    assert job["spec"]["fingerprint"] == job["fingerprint"]
    assert set(job["timings"]) == {"queued_s", "starting_s", "training_s"}
    read = api.get(f"/v1/jobs/{job['id']}").json()
    assert {**read, "timings": None} == {**job, "timings": None}


def test_validate_only_creates_nothing(api: httpx.Client, spec: dict[str, Any], settings: Settings) -> None:
    answer = api.post("/v1/jobs", params={"validate_only": "true"}, json=spec)
    assert answer.status_code == 200
    found = answer.json()
    assert found["valid"] is True
    assert found["spec"]["fingerprint"] == found["fingerprint"]
    assert found["estimate"]["parameters"] == 2 * 2 + 2
    assert api.get("/v1/jobs").json() == {"items": [], "next_page_token": None}
    assert list(settings.volume.jobs.iterdir()) == []
    bad = api.post("/v1/jobs", params={"validate_only": "true"}, json={**spec, "training": {"epochs": 0}})
    assert "/training/epochs" in pointers(bad, 422)


def test_all_faults_of_a_spec_at_once(api: httpx.Client, spec: dict[str, Any], settings: Settings) -> None:
    spec["learner"] = {"type": "adamm"}
    spec["training"] = {"epochs": -1, "minibatch_size": 8}
    spec["nonsense"] = 1
    found = pointers(api.post("/v1/jobs", json=spec), 422)
    assert {"/training/epochs", "/nonsense"} < found
    assert any(pointer.startswith("/learner") for pointer in found)
    assert api.get("/v1/jobs").json()["items"] == []
    assert list(settings.volume.jobs.iterdir()) == []


def test_data_set_that_is_not_there(api: httpx.Client, spec: dict[str, Any]) -> None:
    answer = api.post("/v1/jobs", json={**spec, "dataset": "ds_0"})
    assert answer.status_code in (404, 422)
    assert "ds_0" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b'{"name": \n "x",,}', "json_invalid", "line 2 column 6"),
        (b"", "json_invalid", "line 1 column 1"),
        (b"[1]", "object_expected", "an array"),
    ],
)
def test_body_that_is_no_spec(api: httpx.Client, body: bytes, code: str, named: str) -> None:
    answer = api.post("/v1/jobs", content=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("", code)
    assert named in fault["detail"]


def test_body_over_the_limit(api: httpx.Client) -> None:
    answer = api.post("/v1/jobs", content=b'{"name": "' + b"x" * (5 << 20) + b'"}')
    assert pointers(answer, 413) == {""}


def test_pages_are_stable_while_jobs_arrive(api: httpx.Client, spec: dict[str, Any]) -> None:
    made = [submit(api, {**spec, "name": f"n{number}"})["id"] for number in range(5)]
    first = api.get("/v1/jobs", params={"page_size": 2}).json()
    assert [job["id"] for job in first["items"]] == [made[4], made[3]]
    assert first["items"][0]["spec"] is None
    submit(api, spec)
    rest = api.get("/v1/jobs", params={"page_size": 4, "page_token": first["next_page_token"]}).json()
    assert [job["id"] for job in rest["items"]] == [made[2], made[1], made[0]]
    assert rest["next_page_token"] is None


def test_list_by_status(api: httpx.Client, spec: dict[str, Any]) -> None:
    kept, cancelled = submit(api, spec)["id"], submit(api, spec)["id"]
    api.post(f"/v1/jobs/{cancelled}/cancel")
    for status, wanted in (("queued", [kept]), ("cancelled", [cancelled]), ("failed", [])):
        items = api.get("/v1/jobs", params={"status": status}).json()["items"]
        assert [job["id"] for job in items] == wanted


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"status": "finished"}, "/query/status"),
        ({"page_size": 0}, "/query/page_size"),
        ({"page_size": "many"}, "/query/page_size"),
        ({"page_token": "job_1"}, "/query/page_token"),
        ({"state": "queued"}, "/query/state"),
    ],
)
def test_bad_query(api: httpx.Client, query: dict[str, Any], pointer: str) -> None:
    answer = api.get("/v1/jobs", params=query)
    assert pointers(answer, 422) == {pointer}
    if pointer == "/query/state":
        assert "page_size, page_token, status" in answer.json()["detail"]


def test_cancel_is_idempotent_until_the_end(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    waiting = submit(api, spec)["id"]
    for _ in range(2):
        answer = api.post(f"/v1/jobs/{waiting}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    running = submit(api, spec)["id"]
    record = store.claim(running, worker="w", lease_seconds=60)
    assert record is not None
    for _ in range(2):
        answer = api.post(f"/v1/jobs/{running}/cancel")
        assert (answer.status_code, answer.json()["cancel_requested"]) == (200, True)
    store.transition(record, State.FAILED, Reason.DIVERGED, "the loss is not finite at step 3")
    assert api.post(f"/v1/jobs/{running}/cancel").status_code == 409
    failed = api.get(f"/v1/jobs/{running}")
    assert failed.status_code == 200
    assert (failed.json()["status"], failed.json()["reason"]) == ("failed", "diverged")
    assert failed.json()["detail"] == "the loss is not finite at step 3"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("POST", "/cancel"),
        ("GET", "/events"),
        ("GET", "/metrics"),
        ("GET", "/logs"),
        ("GET", "/attempts"),
        ("GET", "/checkpoints"),
        ("PUT", "/checkpoints/5/pin"),
        ("GET", "/artifacts"),
        ("GET", "/artifacts/../../x"),
    ],
)
@pytest.mark.parametrize("job", ["job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE", "..", "%2e%2e"])
def test_job_that_is_not_there(api: httpx.Client, method: str, path: str, job: str) -> None:
    answer = api.request(method, f"/v1/jobs/{job}{path}")
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:cntk-jobs:problem:not-found"


class Run:
    """A job in its first attempt, reported as a trainer and its worker would."""

    def __init__(self, store: Store, settings: Settings, job_id: str) -> None:
        self.store, self.id = store, job_id
        self.directory = settings.volume.job(job_id)
        claimed = store.claim(job_id, worker="w", lease_seconds=60)
        assert claimed is not None
        self.record = claimed
        self.attempt = self.directory.attempt(claimed.attempt)
        self.attempt.path.mkdir(parents=True)

    def report(self, *facts: dict[str, Any], **fields: Any) -> None:
        for fact in facts:
            append_line(self.attempt.facts, {"time": 1.0, **fact})
        events = [(1000, self.record.attempt, fact) for fact in facts]
        self.store.report(self.id, self.record.attempt, events=events, fields=fields, training=True)

    def end(self, state: State, reason: Reason) -> None:
        self.record = self.store.transition(self.store.get(self.id), state, reason)


@pytest.fixture
def run(api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings) -> Run:
    return Run(store, settings, submit(api, spec)["id"])


def epoch(number: int, loss: float | None) -> dict[str, Any]:
    return {
        "type": "epoch",
        "epoch": number,
        "step": number * 5,
        "samples": number * 40,
        "learning_rate": 0.1,
        "losses": {"train": {"total": loss}},
        "metrics": {},
        "seconds": 0.5,
    }


def test_events_come_in_pages(api: httpx.Client, run: Run) -> None:
    run.report(epoch(1, 0.5), epoch(2, 0.25))
    path = f"/v1/jobs/{run.id}/events"
    everything = api.get(path).json()
    assert [(event["seq"], event["type"]) for event in everything["items"]] == [
        (1, "queued"),
        (2, "running"),
        (3, "epoch"),
        (4, "epoch"),
    ]
    assert everything["next_page_token"] is None
    assert api.get(path, params={"after": 3}).json()["items"] == everything["items"][3:]
    first = api.get(path, params={"limit": 3}).json()
    assert first["items"] == everything["items"][:3]
    rest = api.get(path, params={"limit": 3, "page_token": first["next_page_token"]}).json()
    assert rest == {"items": everything["items"][3:], "next_page_token": None}
    assert api.get(path, params={"after": -1}).status_code == 422


def messages(body: str) -> list[dict[str, str]]:
    found = []
    for block in body.strip().split("\n\n"):
        found.append(dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")))
    return [message for message in found if message]


def test_event_stream_ends_with_the_job(api: httpx.Client, run: Run) -> None:
    run.report(epoch(1, 0.5), progress={"epoch": 1, "samples": 40}, losses={"train": {"total": 0.5}})
    sse = {"accept": "text/event-stream"}
    with api.stream("GET", f"/v1/jobs/{run.id}/events", headers=sse) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        seen = list(iter(lines.__next__, "event: progress"))
        assert [line for line in seen if line.startswith("event")] == [
            "event: queued",
            "event: running",
            "event: epoch",
        ]
        progress = json.loads(next(lines).removeprefix("data: "))
        assert progress["losses"] == {"train": {"total": 0.5}}
        assert next(lines) == ""
        run.end(State.SUCCEEDED, Reason.COMPLETED)
        rest = messages("\n".join(lines))
    assert [(message["event"], message.get("id")) for message in rest] == [("succeeded", "4"), ("end", None)]
    assert json.loads(rest[-1]["data"])["status"] == "succeeded"

    again = api.get(f"/v1/jobs/{run.id}/events", headers={**sse, "last-event-id": "3"})
    assert [message["event"] for message in messages(again.text)] == ["succeeded", "end"]


def test_metrics_by_epoch_and_by_minibatch(api: httpx.Client, run: Run) -> None:
    assert api.get(f"/v1/jobs/{run.id}/metrics").json() == {
        "job": run.id,
        "epochs": [],
        "minibatches": {"steps": 0, "step": [], "last": [], "min": [], "max": [], "mean": []},
    }
    run.report(epoch(1, 0.5), epoch(2, None), epoch(1, 0.4))
    run.directory.losses.write_bytes(np.array([4.0, 2.0, np.nan, 1.0], dtype="<f8").tobytes())
    found = api.get(f"/v1/jobs/{run.id}/metrics", params={"points": 2}).json()
    # Epoch 1 was trained again by a later attempt: its last word counts.
    assert [(point["epoch"], point["losses"]["train"]["total"]) for point in found["epochs"]] == [
        (1, 0.4),
        (2, None),
    ]
    assert found["epochs"][0]["learning_rate"] == 0.1
    assert found["minibatches"] == {
        "steps": 4,
        "step": [2, 4],
        "last": [2.0, 1.0],
        "min": [2.0, 1.0],
        "max": [4.0, 1.0],
        "mean": [3.0, 1.0],
    }


def test_logs(api: httpx.Client, run: Run) -> None:
    path = f"/v1/jobs/{run.id}/logs"
    run.attempt.stderr.write_bytes(b"".join(b"line %d\n" % number for number in range(20_000)) + b"caf\xe9")
    found = api.get(path, params={"tail": 3}).json()
    assert found == {
        "attempt": 1,
        "stream": "stderr",
        "lines": ["line 19998", "line 19999", "caf�"],
        "truncated": True,
    }
    text = api.get(path, params={"tail": 2}, headers={"accept": "text/plain"})
    assert text.headers["content-type"].startswith("text/plain")
    assert text.text == "line 19999\ncaf�\n"
    assert api.get(path, params={"stream": "stdout"}).json()["lines"] == []
    assert api.get(path, params={"tail": 50_000}).json()["truncated"] is False
    assert api.get(path, params={"attempt": 2}).status_code == 404
    assert pointers(api.get(path, params={"stream": "log"}), 422) == {"/query/stream"}


def test_attempts(api: httpx.Client, run: Run, store: Store) -> None:
    path = f"/v1/jobs/{run.id}/attempts"
    run.attempt.stderr.write_bytes(b"12345")
    (running,) = api.get(path).json()["items"]
    assert (running["attempt"], running["outcome"], running["stderr_bytes"]) == (1, None, 5)
    run.end(State.QUEUED, Reason.CRASHED)
    record = store.claim(run.id, worker="w", lease_seconds=60)
    assert record is not None
    store.transition(record, State.FAILED, Reason.DIVERGED, "not finite")
    first, second = api.get(path).json()["items"]
    assert (first["outcome"], first["reason"]) == ("queued", "crashed")
    assert (second["attempt"], second["outcome"], second["detail"]) == (2, "failed", "not finite")


def test_artifacts(api: httpx.Client, run: Run) -> None:
    path = f"/v1/jobs/{run.id}/artifacts"
    assert api.get(path).json() == {"items": []}
    folder = run.directory.artifacts / "pictures"
    folder.mkdir(parents=True)
    (folder / "a b.txt").write_bytes(b"0123456789")
    (folder / "elsewhere").symlink_to("/etc/hostname")
    (file,) = api.get(path).json()["items"]
    assert (file["path"], file["size"]) == ("pictures/a b.txt", 10)
    assert api.get(file["href"]).content == b"0123456789"
    part = api.get(file["href"], headers={"range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    for wanted in ("pictures/elsewhere", "pictures", "%2e%2e/spec.json", "nothing"):
        assert api.get(f"{path}/{wanted}").status_code == 404


def test_parts(api: httpx.Client) -> None:
    found = api.get("/v1/parts").json()
    assert "dense" in {part["type"] for part in found["layers"]}
    assert "adam" in {part["type"] for part in found["learners"]}
