"""``Idempotency-Key``: a request sent twice is done once, whatever dies in between."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from jobs import idempotency
from jobs.errors import Conflict
from jobs.idempotency import Claim, begin, settle
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from jobs.submission.submit import submit as submit_here
from tests.api_calls import ROWS, Run, pointers
from tests.integration.api.test_process import process, url
from tests.practice_trainer import publish
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

PLACE = "POST /v1/jobs"


def post(api: httpx.Client, spec: dict[str, Any], key: str = "k1", path: str = "/v1/jobs") -> httpx.Response:
    return api.post(path, json=spec, headers={"idempotency-key": key})


def jobs_of(api: httpx.Client) -> list[str]:
    return [job["id"] for job in api.get("/v1/jobs").json()["items"]]


def test_the_first_answer_again(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    first = post(api, spec)
    assert first.status_code == 202
    record = store.claim(first.json()["id"], worker="w", lease_seconds=60)
    assert record is not None
    store.transition(record, State.FAILED, Reason.DIVERGED)
    again = post(api, dict(reversed(spec.items())))
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert jobs_of(api) == [first.json()["id"]]
    # Without the key, or with another, it is another job.
    assert api.post("/v1/jobs", json=spec).json()["id"] != first.json()["id"]
    assert post(api, spec, "k2").json()["id"] != first.json()["id"]


def test_another_body_or_place(api: httpx.Client, spec: dict[str, Any]) -> None:
    job_id = post(api, spec).json()["id"]
    other = post(api, {**spec, "name": "other"})
    assert pointers(other, 422) == {"/header/idempotency-key"}
    assert other.json()["errors"][0]["code"] == "key_reused"
    assert pointers(post(api, spec, path=f"/v1/jobs/{job_id}/evaluate"), 422) == {"/header/idempotency-key"}
    assert jobs_of(api) == [job_id]


@pytest.mark.parametrize("key", ["", "two words", "x" * 256, "schlüssel"])
def test_a_key_that_is_none(api: httpx.Client, spec: dict[str, Any], key: str) -> None:
    answer = api.post("/v1/jobs", json=spec, headers={"idempotency-key": key.encode()})
    assert pointers(answer, 422) == {"/header/idempotency-key"}
    assert jobs_of(api) == []


def test_a_refusal_leaves_the_key_free(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    assert post(api, {**spec, "training": {"epochs": 0}}).status_code == 422
    assert store.client.keys("cj:key:*") == []
    assert post(api, spec).status_code == 202


def test_validation_takes_no_key(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    assert post(api, spec, path="/v1/jobs?validate_only=true").status_code == 200
    assert store.client.keys("cj:key:*") == []


def test_a_request_under_way(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    claim = begin(store, "", "k1")
    assert isinstance(claim, Claim)
    refusal = post(api, spec)
    assert "under way" in refusal.json()["detail"]
    assert refusal.json()["type"] == "urn:cntk-jobs:problem:in-flight"
    assert refusal.headers["Retry-After"] == "1"
    assert post(api, spec).status_code == 409
    idempotency.release(store, claim)
    assert post(api, spec).status_code == 202


def test_a_key_lives_for_a_day(api: httpx.Client, spec: dict[str, Any], store: Store) -> None:
    post(api, spec)
    [key] = store.client.keys("cj:key:*")
    day = 24 * 3600
    assert day - 60 < int(store.client.ttl(key)) <= day
    assert int(store.client.memory_usage(key) or 0) < 512


def test_each_sender_has_keys_of_its_own(settings: Settings, spec: dict[str, Any]) -> None:
    tokens = (SecretStr("a"), SecretStr("b"))
    with running_api(settings.model_copy(update={"api_tokens": tokens})) as api:
        made = {
            api.post(
                "/v1/jobs",
                json=spec,
                headers={"idempotency-key": "k1", "authorization": f"Bearer {token}"},
            ).json()["id"]
            for token in "abab"
        }
    assert len(made) == 2


def test_many_at_once_make_one_job(api: httpx.Client, spec: dict[str, Any]) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(api, spec), range(16)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    assert len(jobs_of(api)) == 1


def test_killed_after_the_job_was_made(
    api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings
) -> None:
    """Another API process made the job, and was gone before it could answer."""
    claim = begin(store, "", "k1")
    assert isinstance(claim, Claim)
    claim = claim.of({"place": PLACE, "body": spec}, 202)
    made = submit_here(spec, store, settings, claim)
    answer = post(api, spec)
    assert (answer.status_code, answer.json()["id"]) == (202, made.id)
    assert jobs_of(api) == [made.id]


def test_killed_before_the_job_was_made(
    settings: Settings, spec: dict[str, Any], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 0.5)
    lost = begin(store, "", "k1")
    assert isinstance(lost, Claim)
    with running_api(settings) as api:
        deadline = time.monotonic() + 60
        while (answer := post(api, spec)).status_code == 409:
            assert time.monotonic() < deadline
        assert answer.status_code == 202
        # The first one was only slow: it finds that the key is no longer its own, and makes nothing.
        lost = lost.of({"place": PLACE, "body": spec}, 202)
        with pytest.raises(Conflict):
            submit_here(spec, store, settings, lost)
        assert jobs_of(api) == [answer.json()["id"]]
        assert len(list(settings.volume.jobs.iterdir())) == 1


def test_kill_9_at_random_moments(
    tmp_path: Path, api: httpx.Client, spec: dict[str, Any], valkey: ValkeyServer, store: Store
) -> None:
    chance = random.Random(5)
    for number in range(4):
        (tmp_path / "output").unlink(missing_ok=True)
        key = {"idempotency-key": f"moment-{number}"}
        with process(tmp_path, valkey) as serving:
            place = f"{url(tmp_path)}/v1/jobs"
            httpx.get(place)
            timer = threading.Timer(chance.uniform(0.0, 0.03), os.kill, (serving.pid, signal.SIGKILL))
            timer.start()
            with suppress(httpx.HTTPError):
                httpx.post(place, json=spec, headers=key)
            timer.join()
            serving.wait()
        # Whoever comes next is another process; the dead one's lease need not be waited for here.
        for name in store.client.keys("cj:key:*"):
            if not store.client.hexists(name, "id"):
                store.client.delete(name)
        answers = {api.post("/v1/jobs", json=spec, headers=key).content for _ in range(2)}
        assert len(answers) == 1
        assert len(jobs_of(api)) == number + 1


def upload(api: httpx.Client, rows: bytes, boundary: str, name: str = "t") -> httpx.Response:
    return api.post(
        "/v1/datasets",
        files={"file": ("t.csv", rows)},
        data={"options": json.dumps({"name": name, "columns": ["a", "b", "label"]})},
        headers={
            "idempotency-key": "u1",
            "content-type": f"multipart/form-data; boundary={boundary}",
        },
    )


def test_an_upload(api: httpx.Client, store: Store) -> None:
    first = upload(api, ROWS, "one")
    again = upload(api, ROWS, "two")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert pointers(upload(api, ROWS[:40], "one"), 422) == {"/header/idempotency-key"}
    assert pointers(upload(api, ROWS, "one", name="other"), 422) == {"/header/idempotency-key"}
    api.delete(f"/v1/datasets/{first.json()['id']}")
    assert upload(api, ROWS, "one").status_code == 404


def test_an_upload_under_way_keeps_its_key(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 1.5)
    slow = threading.Event()
    rows = b"a,b,label\n" + ROWS

    def body() -> Any:
        yield b'--b\r\ncontent-disposition: form-data; name="file"; filename="t.csv"\r\n\r\n'
        slow.wait(60)
        yield rows + b"\r\n--b--\r\n"

    headers = {"idempotency-key": "u1", "content-type": "multipart/form-data; boundary=b"}
    with running_api(settings) as api, ThreadPoolExecutor(1) as pool:
        sent = pool.submit(lambda: api.post("/v1/datasets", content=body(), headers=headers))
        while not store.client.keys("cj:key:*"):
            time.sleep(0.01)
        # For longer than one lease.
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            assert upload(api, ROWS, "b").status_code == 409
        slow.set()
        assert sent.result().status_code == 201


def test_a_claim_that_was_lost_settles_nothing(store: Store) -> None:
    claim = begin(store, "", "k1")
    assert isinstance(claim, Claim)
    idempotency.release(store, claim)
    settle(store, claim.of({}, 201), "ds_1")
    assert store.client.keys("cj:key:*") == []


def test_an_evaluation(api: httpx.Client, run: Run) -> None:
    publish(run.directory, 1, "chain")
    answers = [post(api, {"split": "train"}, path=f"/v1/jobs/{run.id}/evaluate") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert len(api.get("/v1/jobs", params={"kind": "evaluation"}).json()["items"]) == 1
