"""Pages of every list while it changes: what is there all the while is told once, in its order."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs.settings import Settings
from tests.api_calls import submit
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

CALM = hypothesis_settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ROUNDS = 4
"""Walks through a list while another thread changes it."""


@dataclass
class Changing:
    """A list of the API, and how an entry is added to it and taken away."""

    api: httpx.Client
    path: str
    add: Callable[[], str]
    """Answers with what ``name`` of the entry will be."""
    remove: Callable[[str], Any] | None = None
    size: str = "page_size"
    oldest_first: bool = False
    name: Callable[[dict[str, Any]], str] = lambda item: str(item["id"])
    query: dict[str, Any] = field(default_factory=dict)
    passing: list[str] = field(default_factory=list)
    """Entries that may be taken away, the newest last."""

    def pages(self, size: int) -> Iterator[list[str]]:
        token = None
        while True:
            query = {**self.query, self.size: size} | ({"page_token": token} if token else {})
            answer = self.api.get(self.path, params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            assert len(page["items"]) <= size
            yield [self.name(item) for item in page["items"]]
            token = page["next_page_token"]
            if token is None:
                return

    def change(self, adding: bool) -> None:
        if adding or self.remove is None or not self.passing:
            self.passing.append(self.add())
        else:
            # One from the middle: it may stand on either side of where a reader is.
            self.remove(self.passing.pop(len(self.passing) // 2))

    def check(self, told: list[str], stayed: list[str]) -> None:
        """``stayed`` in the order in which they were added."""
        assert len(set(told)) == len(told), "something is told twice"
        assert [name for name in told if name in set(stayed)] == (
            stayed if self.oldest_first else stayed[::-1]
        )


def of_jobs(api: httpx.Client, spec: dict[str, Any]) -> Changing:
    return Changing(
        api,
        "/v1/jobs",
        lambda: str(submit(api, spec)["id"]),
        lambda job_id: api.post(f"/v1/jobs/{job_id}/cancel").raise_for_status(),
        query={"status": "queued"},
    )


def of_datasets(api: httpx.Client, _: dict[str, Any]) -> Changing:
    numbers = itertools.count()

    def add() -> str:
        rows = f"a,b\n{next(numbers)},1\n2,3\n".encode()
        answer = api.post("/v1/datasets", files={"file": ("t.csv", rows)}).raise_for_status()
        return str(answer.json()["id"])

    return Changing(
        api, "/v1/datasets", add, lambda name: api.delete(f"/v1/datasets/{name}").raise_for_status()
    )


def of_models(api: httpx.Client, _: dict[str, Any]) -> Changing:
    numbers = itertools.count()

    def add() -> str:
        file = ("m.model", b"%d" % next(numbers))
        return str(api.post("/v1/models", files={"file": file}).raise_for_status().json()["id"])

    return Changing(api, "/v1/models", add, lambda name: api.delete(f"/v1/models/{name}").raise_for_status())


def of_tokens(api: httpx.Client, _: dict[str, Any]) -> Changing:
    first = {"name": "root", "scopes": ["admin"]}
    secret = api.post("/v1/tokens", json=first).raise_for_status().json()["token"]
    api.headers["authorization"] = f"Bearer {secret}"
    new = {"name": "reader", "scopes": ["read"]}
    return Changing(
        api, "/v1/tokens", lambda: str(api.post("/v1/tokens", json=new).raise_for_status().json()["id"])
    )


def add_webhook(api: httpx.Client) -> str:
    # Nobody listens on port 9 of this machine.
    answer = api.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/"}).raise_for_status()
    return str(answer.json()["id"])


def of_webhooks(api: httpx.Client, _: dict[str, Any]) -> Changing:
    return Changing(
        api,
        "/v1/webhooks",
        lambda: add_webhook(api),
        lambda name: api.delete(f"/v1/webhooks/{name}").raise_for_status(),
    )


def of_deliveries(api: httpx.Client, _: dict[str, Any]) -> Changing:
    webhook = add_webhook(api)

    def add() -> str:
        return str(api.post(f"/v1/webhooks/{webhook}/test").raise_for_status().json()["id"])

    return Changing(api, f"/v1/webhooks/{webhook}/deliveries", add)


def of_sweeps(api: httpx.Client, spec: dict[str, Any]) -> Changing:
    asked = {
        "spec": {**spec, "watch": {"metric": "total", "split": "train"}},
        "space": {"/training/seed": {"type": "choice", "values": [1, 2]}},
        "sampler": {"type": "grid"},
    }
    return Changing(
        api, "/v1/sweeps", lambda: str(api.post("/v1/sweeps", json=asked).raise_for_status().json()["id"])
    )


def of_events(api: httpx.Client, spec: dict[str, Any]) -> Changing:
    job_id = submit(api, spec)["id"]
    numbers = itertools.count(2)

    def add() -> str:
        number = next(numbers)
        api.patch(f"/v1/jobs/{job_id}", json={"name": f"name {number}"}).raise_for_status()
        return str(number)

    return Changing(
        api,
        f"/v1/jobs/{job_id}/events",
        add,
        size="limit",
        oldest_first=True,
        name=lambda event: str(event["seq"]),
    )


def of_feed(api: httpx.Client, spec: dict[str, Any]) -> Changing:
    return Changing(
        api,
        "/v1/events",
        lambda: str(submit(api, spec)["id"]),
        size="limit",
        oldest_first=True,
        name=lambda event: str(event["job"]),
        query={"type": "queued"},
    )


def of_audit(api: httpx.Client, spec: dict[str, Any]) -> Changing:
    return Changing(
        api,
        "/v1/audit",
        lambda: str(submit(api, spec)["id"]),
        name=lambda entry: str(entry["resource"]),
    )


LISTS = [
    of_jobs,
    of_datasets,
    of_models,
    of_tokens,
    of_webhooks,
    of_deliveries,
    of_sweeps,
    of_events,
    of_feed,
    of_audit,
]


@pytest.fixture
def api(tmp_path: Any, valkey: ValkeyServer) -> Iterator[httpx.Client]:
    settings = Settings(home=tmp_path, redis_url=valkey.url, api_tokens=(), webhooks_private=True)
    with running_api(settings) as client:
        yield client


def test_every_list_is_here(api: httpx.Client, spec: dict[str, Any]) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    paged = {
        path
        for path, operations in paths.items()
        if any(found["name"] == "page_token" for found in operations.get("get", {}).get("parameters", ()))
    }
    # Trials are numbered from one on, and their list goes by that.
    assert len(paged - {"/v1/sweeps/{sweep_id}/trials"}) == len(LISTS), sorted(paged)


@pytest.mark.parametrize("of", LISTS)
def test_pages_of_a_list_that_changes(of: Any, api: httpx.Client, spec: dict[str, Any]) -> None:
    changing: Changing = of(api, spec)
    stayed: list[str] = []
    for _ in range(3):
        changing.change(True)
        stayed.append(changing.add())

    @CALM
    @given(size=st.integers(1, 3), changes=st.lists(st.lists(st.booleans(), max_size=3), max_size=4))
    def between_pages(size: int, changes: list[list[bool]]) -> None:
        told: list[str] = []
        for page, changes_now in itertools.zip_longest(changing.pages(size), changes, fillvalue=[]):
            told += page
            for adding in changes_now:
                changing.change(adding)
        changing.check(told, stayed)

    between_pages()


@pytest.mark.parametrize("of", [of_jobs, of_datasets, of_models])
def test_pages_while_others_change_the_list(of: Any, api: httpx.Client, spec: dict[str, Any]) -> None:
    changing: Changing = of(api, spec)
    stayed = [changing.add() for _ in range(4)]
    over, failed = threading.Event(), []

    def change() -> None:
        try:
            for adding in itertools.cycle([True, True, False, False]):
                if over.is_set():
                    return
                changing.change(adding)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(ROUNDS):
            changing.check([name for page in changing.pages(2) for name in page], stayed)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not failed
