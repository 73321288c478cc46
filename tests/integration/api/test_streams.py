"""Live streams: every reader of a job, and of all jobs, is told of every event."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from pydantic import TypeAdapter

from app.resources.events import Event
from app.streams.channel import KEPT
from jobs.events import EventType
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import Run, epoch, submit
from tests.event_streams import reading
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


def test_no_reader_misses_an_event(api: httpx.Client, run: Run) -> None:
    """Readers from the beginning, in the middle, and one that reads nothing until all is over."""
    readers, rounds = 30, 12
    begun = threading.Barrier(readers + 1)

    def read(_: int) -> list[int]:
        with reading(api, f"/v1/jobs/{run.id}/events") as stream:
            first = next(stream)
            begun.wait(60)
            return [int(message["id"]) for message in [first, *stream] if "id" in message]

    with ThreadPoolExecutor(readers) as pool, reading(api, f"/v1/jobs/{run.id}/events") as slow:
        found = [pool.submit(read, number) for number in range(readers)]
        begun.wait(60)
        # More than a channel keeps: whoever falls behind must find them elsewhere.
        per_round = KEPT // 8
        for number in range(rounds):
            run.report(*(epoch(number * per_round + one, 0.5) for one in range(per_round)))
        run.end(State.SUCCEEDED, Reason.COMPLETED)
        everything = list(range(1, 2 + rounds * per_round + 2))
        assert len(everything) > KEPT
        for future in found:
            assert future.result(60) == everything
        assert [int(message["id"]) for message in slow if "id" in message] == everything
    with reading(api, f"/v1/jobs/{run.id}/events", headers={"last-event-id": "100"}) as later:
        rest = list(later)
    assert [int(message["id"]) for message in rest[:-1]] == everything[100:]
    assert rest[-1]["event"] == "end"


def test_figures_between_events_and_the_newest_for_who_comes_later(api: httpx.Client, run: Run) -> None:
    path = f"/v1/jobs/{run.id}/events"
    with reading(api, path) as stream:
        assert [next(stream)["event"] for _ in range(2)] == ["queued", "running"]
        run.report(progress={"epoch": 1, "samples": 40}, losses={"train": {"total": 0.5}})
        told = next(stream)
        assert (told["event"], "id" in told) == ("progress", False)
        figures = {
            "progress": {"epoch": 1, "samples": 40},
            "losses": {"train": {"total": 0.5}},
            "metrics": {},
        }
        assert json.loads(told["data"]) == figures
        with reading(api, path, after=2) as later:
            assert json.loads(next(later)["data"]) == figures
        run.report(epoch(1, 0.4))
        assert next(stream)["event"] == "epoch"


def test_a_job_that_is_retried_goes_on_in_its_stream(api: httpx.Client, run: Run) -> None:
    run.end(State.FAILED, Reason.DIVERGED)
    assert api.post(f"/v1/jobs/{run.id}/retry").status_code == 200
    with reading(api, f"/v1/jobs/{run.id}/events") as stream:
        seen = [next(stream)["event"] for _ in range(4)]
        assert seen == ["queued", "running", "failed", "queued"]
        api.post(f"/v1/jobs/{run.id}/cancel")
        assert [message["event"] for message in stream] == ["cancelled", "end"]


def test_all_jobs_in_one_stream(api: httpx.Client, run: Run, spec: dict[str, Any]) -> None:
    with (
        reading(api, "/v1/events") as stream,
        reading(api, "/v1/events", type=["succeeded"]) as chosen,
        reading(api, "/v1/events", job=run.id, type="epoch", progress=False) as of_one,
    ):
        other = submit(api, spec)["id"]
        run.report(epoch(1, 0.5))
        run.report(progress={"epoch": 1})
        first, second, third = (next(stream) for _ in range(3))
        run.end(State.SUCCEEDED, Reason.COMPLETED)
        assert next(stream)["event"] == "succeeded"
        assert [next(chosen)["event"] for _ in range(2)] == ["progress", "succeeded"]
        assert json.loads(next(of_one)["data"])["job"] == run.id
    assert [(told["event"], json.loads(told["data"])["job"]) for told in (first, second, third)] == [
        ("queued", other),
        ("epoch", run.id),
        ("progress", run.id),
    ]
    assert json.loads(second["data"])["id"] == second["id"]
    assert "id" not in third
    with reading(api, "/v1/events", headers={"last-event-id": first["id"]}) as again:
        assert [next(again)["event"] for _ in range(2)] == ["epoch", "succeeded"]


def test_a_stream_of_all_jobs_begins_with_what_comes(
    api: httpx.Client, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the process has not heard yet of what came before."""
    monkeypatch.setattr("app.streams.hub.GATHERING_SECONDS", 0.3)
    for number in (1, 2):
        run.report(epoch(number, 0.5))
        with reading(api, "/v1/events") as stream:
            run.report(epoch(number + 10, 0.5))
            assert json.loads(next(stream)["data"])["epoch"] == number + 10


def test_a_page_of_all_jobs(api: httpx.Client, run: Run, spec: dict[str, Any]) -> None:
    submit(api, spec)
    run.report(epoch(1, 0.5))
    whole = api.get("/v1/events").json()
    assert [(item["type"], item["job"] == run.id) for item in whole["items"]] == [
        ("queued", True),
        ("running", True),
        ("queued", False),
        ("epoch", True),
    ]
    assert whole["next_page_token"] is None
    first = api.get("/v1/events", params={"job": run.id, "limit": 2}).json()
    assert first["items"] == whole["items"][:2]
    rest = api.get("/v1/events", params={"job": run.id, "page_token": first["next_page_token"]}).json()
    assert rest["items"] == whole["items"][3:]
    assert api.get("/v1/events", params={"after": whole["items"][2]["id"]}).json()["items"] == rest["items"]
    assert api.get("/v1/events", params={"type": "queued"}).json()["items"] == whole["items"][::2]
    wrong = api.get("/v1/events", params={"type": "quewed", "after": "x"})
    assert {fault["pointer"] for fault in wrong.json()["errors"]} == {"/query/type/0", "/query/after"}


def test_who_was_away_for_too_long_is_told_so(
    api: httpx.Client, run: Run, store: Store, settings: Settings
) -> None:
    run.report(epoch(1, 0.5), epoch(2, 0.4))
    events = api.get("/v1/events").json()["items"]
    with reading(api, "/v1/events", headers={"last-event-id": events[0]["id"]}) as stream:
        while next(stream)["id"] != events[-1]["id"]:
            continue
    store.client.xtrim("cj:feed", minid=events[2]["id"], approximate=False)
    # What a process has heard itself it can still tell; another one tells what is left, and that this
    # is not all.
    with reading(api, "/v1/events", headers={"last-event-id": events[0]["id"]}) as stream:
        assert next(stream)["id"] == events[1]["id"]
    known = {"last-event-id": events[0]["id"]}
    with running_api(settings) as fresh, reading(fresh, "/v1/events", headers=known) as stream:
        gap = next(stream)
        assert gap["event"] == "missed"
        assert json.loads(gap["data"]) == {"after": events[0]["id"], "first": events[2]["id"]}
        assert next(stream)["id"] == events[2]["id"]


def test_streams_outlast_an_outage_without_a_gap(tmp_path: Path, persistent_valkey: ValkeyServer) -> None:
    settings = Settings(home=tmp_path, redis_url=persistent_valkey.url, api_tokens=())
    store = Store.open(settings)
    with persistent_valkey.client() as client:
        for name in ("job_1", "job_2"):
            fields = {"id": name, "name": "n", "state": "queued", "reason": "submitted", "seq": "0"}
            times = dict.fromkeys(("created_at", "updated_at", "phase_at"), "1")
            client.hset(f"cj:job:{name}", mapping=fields | times | {"dataset": "ds_1", "fingerprint": "f"})
            settings.volume.job(name).path.mkdir(parents=True)
            settings.volume.job(name).spec.write_text("{}")
    with running_api(settings) as api, reading(api, "/v1/events") as everything:
        with reading(api, "/v1/jobs/job_2/events") as one:
            store.request_cancel("job_1")
            assert json.loads(next(everything)["data"])["job"] == "job_1"
            persistent_valkey.stop()
            assert api.get("/v1/jobs").status_code == 503
            persistent_valkey.start()
            store.request_cancel("job_2")
            assert [message["event"] for message in one] == ["cancelled", "end"]
        assert json.loads(next(everything)["data"])["job"] == "job_2"
    store.client.close()


def test_every_type_of_event_has_a_model(api: httpx.Client, run: Run) -> None:
    members = get_args(get_args(Event)[0])
    known = [name for member in members for name in get_args(member.model_fields["type"].annotation)]
    assert sorted(known) == sorted(EventType)
    run.report(epoch(1, None))
    page = api.get(f"/v1/jobs/{run.id}/events").json()
    adapter: TypeAdapter[Any] = TypeAdapter(list[Event])
    models = adapter.validate_python(page["items"])
    assert [type(model).__name__ for model in models] == ["StateChanged", "StateChanged", "EpochEnded"]
    with pytest.raises(ValueError, match="learning_rate"):
        adapter.validate_python([{**page["items"][2], "learning_rate": "fast"}])
