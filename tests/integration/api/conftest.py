"""An API with a server and a volume of its own for each test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from jobs.store import Store
from tests.api_calls import Run, submit
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

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
    return _spec_by(api)


@pytest.fixture
def spec_of() -> Callable[[httpx.Client], dict[str, Any]]:
    """Makes a spec that fits a data set which the client uploads."""
    return _spec_by


def _spec_by(api: httpx.Client) -> dict[str, Any]:
    """A spec that fits a data set which this client uploads."""
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


@pytest.fixture
def run(api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings) -> Run:
    """A submitted job in its first attempt."""
    return Run(store, settings, submit(api, spec)["id"])
