"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from jobs.settings import Settings
from tests.trainer_runs import Workshop
from tests.valkey_server import ValkeyServer
from trainer.files import read_json

# A machine that others use is slow now and then: that is no failure.
hypothesis.settings.register_profile("calm", deadline=None)
hypothesis.settings.load_profile("calm")


@pytest.fixture(scope="session")
def _one_valkey() -> Iterator[ValkeyServer]:
    # A Unix socket's path has at most 107 bytes: pytest's own folders are too deep for it.
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = ValkeyServer(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def valkey(_one_valkey: ValkeyServer) -> ValkeyServer:
    """A running, empty server. A test may stop and start it: the next one finds it running."""
    if not _one_valkey.answers():
        _one_valkey.stop()
        _one_valkey.start()
    with _one_valkey.client() as client:
        client.flushall()
    return _one_valkey


@pytest.fixture
def persistent_valkey() -> Iterator[ValkeyServer]:
    """A server of the test's own whose jobs outlive it: for tests that stop it and start it again."""
    folder = Path(tempfile.mkdtemp(prefix="valkey-"))
    server = ValkeyServer(folder, persistent=True)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def trainer_environments() -> list[Path]:
    """The trainers' environments that set-up made: the chosen one first, others beside it."""
    chosen = Settings().trainer_env
    beside = sorted(chosen.parent.glob(f"{chosen.name}-*"))
    return [path for path in [chosen, *beside] if (path / "trainer.json").exists()]


@pytest.fixture(scope="session")
def chosen_environment() -> dict[str, Any]:
    """trainer.json of the environment that workers use."""
    environments = trainer_environments()
    assert environments, "no trainer environment: run scripts/setup"
    return dict(read_json(environments[0] / "trainer.json"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, chosen_environment: dict[str, Any]) -> Workshop:
    """Where a module's tests run real trainers without the service."""
    return Workshop(tmp_path_factory.mktemp("home"), chosen_environment)


@pytest.fixture(
    scope="module", params=trainer_environments() or [None], ids=lambda path: path.name if path else "none"
)
def environment(request: pytest.FixtureRequest) -> dict[str, Any]:
    """trainer.json of each trainer environment in turn."""
    assert request.param, "no trainer environment: run scripts/setup"
    return dict(read_json(request.param / "trainer.json"))


@pytest.fixture(scope="session")
def test_data() -> Callable[[str], Path]:
    """The folder of a real data set by name; the test is skipped where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    base = Path(os.environ.get("CNTK_JOBS_TEST_DATA", beside))

    def find(name: str) -> Path:
        if not (base / name).is_dir():
            pytest.skip(f"no data set {name} under CNTK_JOBS_TEST_DATA ({base})")
        return base / name

    return find
