"""Webhooks: asked for over HTTP, sent to a real receiver, which verifies what it gets."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import sending
from jobs.settings import Settings
from jobs.states import Reason, State
from jobs.store import Store
from jobs.webhooks import deliveries
from jobs.webhooks.registry import EVENTS
from tests.api_calls import Run, pointers, submit
from tests.integration.api.test_tokens import make
from tests.receiver import Receiver
from tests.running_api import running_api
from tests.running_service import until as wait_until
from tests.valkey_server import ValkeyServer

Document = dict[str, Any]


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyServer) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, api_tokens=(), webhooks_private=True)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def until(met: Callable[[], bool]) -> None:
    wait_until(lambda: True if met() else None, "what webhooks do")


def made(api: httpx.Client, url: str, **more: Any) -> Document:
    answer = api.post("/v1/webhooks", json={"url": url, **more})
    assert answer.status_code == 201, answer.text
    found: Document = answer.json()
    assert answer.headers["location"] == f"/v1/webhooks/{found['id']}"
    return found


def log_of(api: httpx.Client, webhook: Document) -> list[Document]:
    answer = api.get(f"/v1/webhooks/{webhook['id']}/deliveries")
    assert answer.status_code == 200, answer.text
    found: list[Document] = answer.json()["items"]
    return found


def settled(api: httpx.Client, webhook: Document, status: str, count: int = 1) -> list[Document]:
    """The log, once so many deliveries have that status."""
    until(lambda: [d["status"] for d in log_of(api, webhook)].count(status) == count)
    return log_of(api, webhook)


def run_to_its_end(store: Store, settings: Settings, job_id: str) -> None:
    Run(store, settings, job_id).end(State.SUCCEEDED, Reason.COMPLETED)


def test_each_change_of_state_is_told_signed(
    api: httpx.Client, spec: Document, store: Store, settings: Settings, receiver: Receiver
) -> None:
    webhook = made(api, receiver.url)
    job_id = submit(api, spec | {"tags": ["a", "b"]})["id"]
    run_to_its_end(store, settings, job_id)
    told = [message.verified(webhook["secret"]) for message in receiver.wait_for(3)]
    by_type = {found["type"]: found for found in told}
    assert set(by_type) == {"job.queued", "job.running", "job.succeeded"}
    events = {event["type"]: event for event in api.get(f"/v1/jobs/{job_id}/events").json()["items"]}
    for kind, found in by_type.items():
        event = events[kind.removeprefix("job.")]
        assert found["timestamp"] == event["time"]
        same = {name: event[name] for name in ("reason", "detail", "attempt", "seq")}
        about = {"job": job_id, "name": "tiny", "kind": "training", "owner": None, "tags": ["a", "b"]}
        assert found["data"] == about | same | {"status": event["type"]}
    assert len({message.id for message in receiver.messages}) == 3
    with pytest.raises(Exception, match="signature"):
        receiver.messages[0].verified("whsec_" + "A" * 32)
    log = settled(api, webhook, "delivered", 3)
    assert {entry["id"] for entry in log} == {message.id for message in receiver.messages}
    assert [entry["created_at"] for entry in log] == sorted((e["created_at"] for e in log), reverse=True)
    assert {(entry["attempts"], entry["response_status"], entry["error"]) for entry in log} == {
        (1, 204, None)
    }


def test_only_what_was_asked_for_is_told(
    api: httpx.Client, spec: Document, store: Store, settings: Settings, receiver: Receiver
) -> None:
    first, second = submit(api, spec)["id"], submit(api, spec)["id"]
    webhook = made(api, receiver.url, events=["job.succeeded", "job.failed"], job=second)
    for job_id in (first, second):
        run_to_its_end(store, settings, job_id)
    [entry] = settled(api, webhook, "delivered")
    assert (entry["job"], entry["type"]) == (second, "job.succeeded")
    assert len(receiver.messages) == 1


def test_only_of_jobs_with_a_tag(api: httpx.Client, spec: Document, receiver: Receiver) -> None:
    webhook = made(api, receiver.url, tag="night")
    submit(api, spec)
    tagged = submit(api, spec | {"tags": ["night", "b"]})["id"]
    submit(api, spec | {"tags": ["b"]})
    [entry] = settled(api, webhook, "delivered")
    assert entry["job"] == tagged


def test_a_webhook_is_its_owners(api: httpx.Client, receiver: Receiver) -> None:
    with (
        make(api, "root", "admin") as root,
        make(root, "ada", "submit") as ada,
        make(root, "eve", "submit") as eve,
        make(root, "rita", "read") as reader,
    ):
        webhook = made(ada, receiver.url)
        assert webhook["owner"] == "ada"
        path = f"/v1/webhooks/{webhook['id']}"
        assert eve.get(path).status_code == reader.get(f"{path}/deliveries").status_code == 200
        for other in (eve, reader):
            assert other.patch(path, json={"url": "https://elsewhere.example"}).status_code == 403
            assert other.post(f"{path}/test").status_code == 403
            assert other.delete(path).status_code == 403
        assert reader.post("/v1/webhooks", json={"url": receiver.url}).status_code == 403
        assert ada.patch(path, json={"description": "mine"}).json()["description"] == "mine"
        assert root.delete(path).status_code == 204


def test_a_failed_attempt_is_repeated_under_its_id(
    api: httpx.Client,
    spec: Document,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliveries, "DELAYS_S", (0.05, 0.05, 0.05))
    receiver.answer = lambda _: 500 if len(receiver.messages) < 2 else 200
    webhook = made(api, receiver.url)
    submit(api, spec)
    [entry] = settled(api, webhook, "delivered")
    assert (entry["attempts"], entry["response_status"]) == (3, 200)
    assert {message.id for message in receiver.messages} == {entry["id"]}
    for message in receiver.messages:
        message.verified(webhook["secret"])


def test_a_delivery_that_failed_for_good_is_sent_again_when_asked(
    api: httpx.Client, spec: Document, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "DELAYS_S", (0.05,))
    receiver.answer = lambda _: 302
    webhook = made(api, receiver.url)
    submit(api, spec)
    [entry] = settled(api, webhook, "failed")
    assert (entry["attempts"], entry["response_status"], entry["next_at"]) == (2, 302, None)
    assert "not followed" in entry["error"]
    assert {message.path for message in receiver.messages} == {"/hook"}
    receiver.answer = lambda _: 204
    counted = dict(re.findall(r'webhook_attempts_total{outcome="(\w+)"} (\S+)', api.get("/metrics").text))
    assert counted == {"delivered": "0.0", "tried_again_later": "1.0", "given_up": "1.0"}
    answer = api.post(f"/v1/webhooks/{webhook['id']}/deliveries/{entry['id']}/redeliver")
    assert answer.status_code == 202
    assert answer.json()["status"] == "pending"
    [entry] = settled(api, webhook, "delivered")
    assert receiver.messages[-1].id == entry["id"]
    assert api.post(f"/v1/webhooks/{webhook['id']}/deliveries/msg_none/redeliver").status_code == 404


def test_several_processes_send_each_message_once(
    api: httpx.Client, spec: Document, settings: Settings, receiver: Receiver
) -> None:
    webhook = made(api, receiver.url)
    with running_api(settings), running_api(settings):
        for _ in range(20):
            submit(api, spec)
        settled(api, webhook, "delivered", 20)
    assert len({message.id for message in receiver.messages}) == len(receiver.messages) == 20


def test_what_a_killed_process_had_taken_is_sent_by_another(
    api: httpx.Client,
    spec: Document,
    store: Store,
    settings: Settings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliveries, "LEASE_S", 0.3)
    monkeypatch.setattr(sending, "AT_ONCE", 0)
    webhook = made(api, receiver.url)
    submit(api, spec)
    until(lambda: bool(log_of(api, webhook)))
    # Taken, and never heard of again.
    [taken] = deliveries.take(webhook["id"], store, "sender_dead", 5)
    monkeypatch.setattr(sending, "AT_ONCE", 4)
    settled(api, webhook, "delivered")
    # The one that was thought dead comes back: its word counts no more.
    assert deliveries.settle(taken, deliveries.Answer(500, "late"), store, settings.volume) is None
    [entry] = log_of(api, webhook)
    assert (entry["status"], entry["attempts"]) == ("delivered", 1)


def test_nothing_is_lost_with_redis(
    api: httpx.Client,
    spec: Document,
    store: Store,
    settings: Settings,
    receiver: Receiver,
    valkey: ValkeyServer,
) -> None:
    webhook = made(api, receiver.url, events=["job.queued", "job.running", "job.succeeded"])
    told = submit(api, spec)["id"]
    settled(api, webhook, "delivered")
    receiver.answer = lambda _: 503
    untold = submit(api, spec)["id"]
    run_to_its_end(store, settings, untold)
    until(lambda: [d["attempts"] for d in log_of(api, webhook)].count(1) == 4)
    for job_id in (told, untold):
        assert api.get(f"/v1/jobs/{job_id}/events").status_code == 200  # they are on the volume now
    receiver.messages.clear()
    receiver.answer = lambda _: 204
    with valkey.client() as client:
        client.flushall()
    messages = [message.verified(webhook["secret"]) for message in receiver.wait_for(4)]
    assert api.get(f"/v1/webhooks/{webhook['id']}").json()["enabled"]
    told_now = sorted((m["data"]["job"], m["data"]["status"], m["data"]["reason"]) for m in messages)
    assert told_now == sorted(
        [
            # It had not come to its end: it was queued anew, and that is told.
            (told, "queued", "recovered"),
            (untold, "queued", "submitted"),
            (untold, "running", "starting"),
            (untold, "succeeded", "completed"),
        ]
    )


def test_a_test_message(api: httpx.Client, receiver: Receiver) -> None:
    webhook = made(api, receiver.url, events=["job.failed"])
    answer = api.post(f"/v1/webhooks/{webhook['id']}/test")
    assert answer.status_code == 202
    [message] = receiver.wait_for(1)
    assert message.id == answer.json()["id"]
    found = message.verified(webhook["secret"])
    assert (found["type"], found["data"]) == ("webhook.test", {"webhook": webhook["id"]})


def test_the_secret_is_shown_once_and_kept_from_others(
    api: httpx.Client, settings: Settings, store: Store, receiver: Receiver
) -> None:
    webhook = made(api, receiver.url)
    secret = webhook.pop("secret")
    assert re.fullmatch(r"whsec_[\w+/]{32}", secret)
    assert api.get(f"/v1/webhooks/{webhook['id']}").json() == webhook
    assert api.get("/v1/webhooks").json()["items"] == [webhook]
    path = settings.volume.webhooks / webhook["id"] / "secret"
    assert path.read_text() == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not any(secret in text for text in store.client.hgetall("cj:webhooks").values())


def test_changing_and_deleting(
    api: httpx.Client, spec: Document, settings: Settings, store: Store, receiver: Receiver
) -> None:
    webhook = made(api, receiver.url, description="a")
    path = f"/v1/webhooks/{webhook['id']}"
    changed = api.patch(path, json={"enabled": False, "events": ["job.failed"]}).json()
    assert (changed["enabled"], changed["events"], changed["description"]) == (False, ["job.failed"], "a")
    assert changed["disabled_because"] == "switched off by hand"
    submit(api, spec)
    until(lambda: store.client.xlen("cj:outbox") == 0)
    assert log_of(api, webhook) == []
    changed = api.patch(path, json={"enabled": True, "events": ["*"]}).json()
    assert (changed["enabled"], changed["disabled_because"]) == (True, None)
    assert pointers(api.patch(path, json={"url": None, "enabled": None}), 422) == {"/url", "/enabled"}
    submit(api, spec)
    settled(api, webhook, "delivered")
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.delete(path).status_code == 404
    assert list(settings.volume.webhooks.iterdir()) == []
    assert [key for key in store.client.keys("cj:*") if "webhook" in key] == []
    submit(api, spec)
    assert store.client.xlen("cj:outbox") == 0


@pytest.mark.parametrize("gone", [True, False], ids=["answers gone", "fails for days"])
def test_a_webhook_that_does_not_work_is_disabled(
    api: httpx.Client,
    spec: Document,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    gone: bool,
) -> None:
    monkeypatch.setattr(deliveries, "DELAYS_S", (0.01,) * 5)
    monkeypatch.setattr(sending, "GIVE_UP", timedelta(days=5 if gone else 0))
    receiver.answer = lambda _: 410 if gone else 500
    webhook = made(api, receiver.url)
    submit(api, spec)
    path = f"/v1/webhooks/{webhook['id']}"
    until(lambda: not api.get(path).json()["enabled"])
    assert ("410" if gone else "nothing was taken") in api.get(path).json()["disabled_because"]
    before = len(receiver.messages)
    submit(api, spec)
    assert len(receiver.messages) == before


WRONG = [
    ({}, {"/url"}),
    ({"url": "ftp://example.com", "events": ["job.succeded"], "job": "job_none"},
     {"/url", "/events/0", "/job"}),
    ({"url": "https://example.com", "events": [], "colour": 1}, {"/events", "/colour"}),
    ({"url": "https://user:password@example.com/"}, {"/url"}),
    ({"url": "https://example.com:port/"}, {"/url"}),
    ({"url": "https://"}, {"/url"}),
    ({"url": "https://exa mple.com/"}, {"/url"}),
]  # fmt: skip


@pytest.mark.parametrize(("document", "places"), WRONG)
def test_what_is_wrong_is_named_at_once(api: httpx.Client, document: Document, places: set[str]) -> None:
    assert pointers(api.post("/v1/webhooks", json=document), 422) == places
    assert api.get("/v1/webhooks").json()["items"] == []


def test_the_nearest_event_is_named(api: httpx.Client) -> None:
    answer = api.post("/v1/webhooks", json={"url": "https://example.com", "events": ["job.succeded"]})
    assert "'job.succeeded'" in answer.json()["errors"][0]["detail"]


def public_only(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhooks_private": False})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://10.0.0.1/",
    ],
)
def test_private_addresses_and_plain_http_are_refused(settings: Settings, url: str) -> None:
    with running_api(public_only(settings)) as api:
        answer = api.post("/v1/webhooks", json={"url": url})
        assert pointers(answer, 422) == {"/url"}
        assert "CNTK_JOBS_WEBHOOKS_PRIVATE=1" in answer.json()["errors"][0]["detail"]


def test_a_name_that_turns_private_is_not_connected_to(
    settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked at when it is resolved to connect, not before: there is no moment in between."""
    port = int(receiver.url.split(":")[2].split("/")[0])
    real = socket.getaddrinfo

    def rebound(host: Any, *arguments: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "hooks.example" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with running_api(public_only(settings)) as api:
        webhook = made(api, f"https://hooks.example:{port}/")
        api.post(f"/v1/webhooks/{webhook['id']}/test")
        until(lambda: [entry["attempts"] for entry in log_of(api, webhook)] == [1])
        [entry] = log_of(api, webhook)
    assert entry["error"] == "hooks.example is 127.0.0.1, which is no public address"
    assert (entry["status"], entry["response_status"]) == ("pending", None)
    assert entry["next_at"] > entry["attempted_at"]
    assert receiver.messages == []


def test_pages_of_the_log(api: httpx.Client, spec: Document, receiver: Receiver) -> None:
    webhook = made(api, receiver.url, events=["job.queued"])
    for _ in range(5):
        submit(api, spec)
    whole = [entry["id"] for entry in settled(api, webhook, "delivered", 5)]
    path, found, token = f"/v1/webhooks/{webhook['id']}/deliveries", [], None
    while True:
        page = api.get(path, params={"page_size": 2, **({"page_token": token} if token else {})}).json()
        found += [entry["id"] for entry in page["items"]]
        token = page["next_page_token"]
        if token is None:
            break
    assert found == whole
    assert pointers(api.get(path, params={"page_token": "next"}), 422) == {"/query/page_token"}


def test_the_log_keeps_the_newest(
    api: httpx.Client, spec: Document, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    monkeypatch.setattr(deliveries, "KEPT", 3)
    webhook = made(api, receiver.url)
    for number in range(1, 6):
        submit(api, spec)
        settled(api, webhook, "delivered", min(number, 3))
        until(lambda: len(receiver.messages) >= number)  # noqa: B023
    assert len(store.client.keys(f"cj:webhook:{webhook['id']}:delivery:*")) == 3


def test_every_event_is_on_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(job\.\w+)`", page)) == set(EVENTS)
