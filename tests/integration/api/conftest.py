"""An API with a server and a volume of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from jobs.store import Store
from tests.api_calls import Run, spec_by, submit
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


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
    return spec_by(api)


@pytest.fixture
def spec_of() -> Callable[[httpx.Client], dict[str, Any]]:
    """Makes a spec that fits a data set which the client uploads."""
    return spec_by


@pytest.fixture
def run(api: httpx.Client, spec: dict[str, Any], store: Store, settings: Settings) -> Run:
    """A submitted job in its first attempt."""
    return Run(store, settings, submit(api, spec)["id"])
