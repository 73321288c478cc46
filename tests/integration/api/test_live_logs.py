"""The lines of a trainer, read while it writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx

from jobs.states import Reason, State
from jobs.store import Store
from tests.api_calls import Run, pointers
from tests.event_streams import Message, reading


def lines(stream: Iterator[Message]) -> Iterator[dict[str, Any]]:
    for message in stream:
        yield {"event": message["event"], "id": message.get("id"), **json.loads(message["data"])}


def test_lines_as_they_are_written_over_all_attempts(api: httpx.Client, run: Run, store: Store) -> None:
    log = run.attempt.stderr
    log.write_text("one\ntwo\nthree\n")
    path = f"/v1/jobs/{run.id}/logs"
    with reading(api, path, tail=2) as stream:
        told = lines(stream)
        first = next(told)
        assert (first["text"], first["offset"], first["id"]) == ("two\nthree\n", 4, "1:14")
        with log.open("a") as file:
            file.write("fo")
            file.flush()
            file.write("ur\nhalf a line")
        assert next(told)["text"] == "four\n"
        run.record = store.transition(store.get(run.id), State.QUEUED, Reason.WORKER_LOST)
        again = store.claim(run.id, worker="w", lease_seconds=60)
        assert again is not None
        second = run.directory.attempt(2)
        second.path.mkdir(parents=True)
        second.stderr.write_text("another attempt\n")
        assert next(told)["text"] == "half a line"
        begun = next(told)
        assert (begun["attempt"], begun["offset"], begun["text"]) == (2, 0, "another attempt\n")
        store.transition(again, State.FAILED, Reason.DIVERGED)
        assert next(told) == {"event": "end", "id": None, "status": "failed", "attempt": 2}
    with reading(api, path, headers={"last-event-id": "1:14"}) as stream:
        assert [found.get("text") for found in lines(stream)] == [
            "four\n",
            "half a line",
            "another attempt\n",
            None,
        ]
    with reading(api, path, attempt=1, tail=1) as stream:
        assert [found.get("text") for found in lines(stream)] == ["half a line", None]


def test_a_job_that_waits_and_one_that_is_not_there(api: httpx.Client, run: Run) -> None:
    with reading(api, f"/v1/jobs/{run.id}/logs", stream="stdout") as stream:
        run.attempt.stdout.write_bytes(b"caf\xe9\n")
        assert next(lines(stream))["text"] == "caf�\n"
    sse = {"accept": "text/event-stream"}
    assert pointers(api.get(f"/v1/jobs/{run.id}/logs", headers=sse, params={"attempt": 2}), 404) == set()
    wrong = api.get(f"/v1/jobs/{run.id}/logs", headers={**sse, "last-event-id": "7"})
    assert pointers(wrong, 422) == {"/header/last-event-id"}
