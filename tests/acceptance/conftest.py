"""The whole service on real CNTK, once for all acceptance tests."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client import Client
from client.demo import write_digits
from client.documents import Dataset
from tests.running_service import ROOT, RunningService


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    service = RunningService(tmp_path_factory.mktemp("service")).wait_ready()
    yield service
    assert service.stop() == 0, service.said()


@pytest.fixture(scope="session")
def client(service: RunningService) -> Iterator[Client]:
    with service.client() as client:
        yield client


def example(name: str) -> dict[str, Any]:
    """A document of ``examples/``."""
    return dict(json.loads((ROOT / "examples" / name).read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    write_digits(path)
    return path


@pytest.fixture(scope="session")
def digits(client: Client, digits_file: Path) -> Dataset:
    return client.datasets.add(digits_file, **example("options/digits.json"))


@pytest.fixture(scope="session")
def digits_spec(digits: Dataset) -> dict[str, Any]:
    """The weighted digits with dropout, 10 epochs of 23 minibatches, a checkpoint after every 40th."""
    spec = example("digits_weighted.json") | {"dataset": digits["id"]}
    spec["training"] |= {"epochs": 10}
    spec["checkpoints"] = {"every_minibatches": 40, "keep_last": 10}
    return spec
