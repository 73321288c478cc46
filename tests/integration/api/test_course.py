"""A job's course over HTTP: events, metrics, logs, attempts, checkpoints, artifacts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import Run, epoch, pointers, submit
from tests.practice_trainer import publish
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


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


def test_event_stream_outlasts_an_outage(tmp_path: Path, persistent_valkey: ValkeyServer) -> None:
    settings = Settings(home=tmp_path, redis_url=persistent_valkey.url, api_tokens=())
    store = Store.open(settings)
    with persistent_valkey.client() as client:
        fields = {"id": "job_1", "name": "n", "state": "queued", "reason": "submitted", "seq": "0"}
        times = dict.fromkeys(("created_at", "updated_at", "phase_at"), "1")
        client.hset("cj:job:job_1", mapping=fields | times | {"dataset": "ds_1", "fingerprint": "f"})
    settings.volume.job("job_1").path.mkdir(parents=True)
    settings.volume.job("job_1").spec.write_text("{}")
    sse = {"accept": "text/event-stream"}
    with running_api(settings) as api, api.stream("GET", "/v1/jobs/job_1/events", headers=sse) as answer:
        assert answer.status_code == 200
        persistent_valkey.stop()
        assert api.get("/v1/jobs").status_code == 503
        persistent_valkey.start()
        store.request_cancel("job_1")
        seen = messages("\n".join(answer.iter_lines()))
    store.client.close()
    assert [(message["event"], message.get("id")) for message in seen] == [("cancelled", "1"), ("end", None)]


def test_metrics_by_epoch_and_by_minibatch(api: httpx.Client, run: Run) -> None:
    assert api.get(f"/v1/jobs/{run.id}/metrics").json() == {
        "job": run.id,
        "epochs": [],
        "minibatches": {"steps": 0, "step": [], "last": [], "min": [], "max": [], "mean": []},
        "series": None,
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


def test_checkpoints(api: httpx.Client, run: Run) -> None:
    path = f"/v1/jobs/{run.id}/checkpoints"
    assert api.get(path).json() == {"items": []}
    for step in (1, 2):
        publish(run.directory, step, "chain")
    first, second = api.get(path).json()["items"]
    assert [first["samples"], second["samples"]] == run.directory.published_checkpoints()
    assert first["id"] == f"{run.id}@{first['samples']}"
    assert first["size"] == sum(file["size"] for file in first["files"])
    assert api.get(f"/v1/checkpoints/{first['id']}").json() == first
    for file in first["files"]:
        content = api.get(file["href"])
        assert len(content.content) == file["size"]
        assert hashlib.sha256(content.content).hexdigest() == file["sha256"]
        assert content.headers["etag"] == f'"{file["sha256"]}"'
    assert api.get(f"/v1/checkpoints/{first['id']}/files/manifest.txt").status_code == 404
    assert api.get(f"/v1/checkpoints/{run.id}@7").status_code == 404


def test_pinning(api: httpx.Client, run: Run) -> None:
    publish(run.directory, 1, "chain")
    (samples,) = run.directory.published_checkpoints()
    pin = f"/v1/jobs/{run.id}/checkpoints/{samples}/pin"
    for _ in range(2):
        assert api.put(pin).json()["pinned"] is True
    assert api.get(f"/v1/checkpoints/{run.id}@{samples}").json()["pinned"] is True
    for _ in range(2):
        assert api.delete(pin).json()["pinned"] is False
    assert api.put(f"/v1/jobs/{run.id}/checkpoints/7/pin").status_code == 404


def test_series_by_name_thinned(api: httpx.Client, run: Run) -> None:
    run.report(*(epoch(number, 1 / number if number != 7 else None) for number in range(1, 101)))
    path = f"/v1/jobs/{run.id}/metrics"
    found = api.get(path, params={"series": ["losses.train.total", "learning_rate"], "points": 10}).json()
    assert (found["epochs"], found["minibatches"]) == ([], None)
    loss = found["series"]["losses.train.total"]
    assert (loss["count"], len(loss["epoch"])) == (100, 10)
    assert (loss["epoch"][0], loss["epoch"][-1]) == (1, 100)
    assert 7 not in loss["epoch"]
    assert loss["value"] == [1 / number for number in loss["epoch"]]
    assert loss["step"] == [5 * number for number in loss["epoch"]]
    assert found["series"]["learning_rate"]["value"] == [0.1] * 10
    refused = api.get(path, params={"series": ["losses.train.totl", "minibatches"]})
    assert pointers(refused, 422) == {"/query/series"}
    assert "did you mean 'losses.train.total'?" in refused.text


def test_several_jobs_compared(api: httpx.Client, run: Run, spec: dict[str, Any]) -> None:
    other = submit(api, {**spec, "name": "other"})["id"]
    run.report(epoch(1, 0.5))
    run.directory.losses.write_bytes(np.array([4.0, 2.0], dtype="<f8").tobytes())
    whole = api.get("/v1/metrics", params={"job": [other, run.id]}).json()["jobs"]
    assert [(found["job"], found["name"], found["status"]) for found in whole] == [
        (other, "other", "queued"),
        (run.id, "tiny", "running"),
    ]
    assert [len(found["epochs"]) for found in whole] == [0, 1]
    assert whole[1]["minibatches"]["last"] == [4.0, 2.0]
    asked = {"job": [other, run.id], "series": ["minibatches", "losses.train.total"]}
    chosen = api.get("/v1/metrics", params=asked).json()["jobs"]
    assert [found["series"] for found in chosen] == [
        {},
        {"losses.train.total": {"count": 1, "epoch": [1], "step": [5], "value": [0.5]}},
    ]
    refused = api.get("/v1/metrics", params={"job": [run.id, "job_none"]})
    assert pointers(refused, 422) == {"/query/job"}
    assert pointers(api.get("/v1/metrics"), 422) == {"/query/job"}
