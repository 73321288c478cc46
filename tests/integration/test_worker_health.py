"""The health check of a worker's image."""

from __future__ import annotations

import socket

import pytest

from jobs.settings import Settings
from jobs.store import Store
from jobs.workers import WorkerEntry, register
from tests.valkey_server import ValkeyServer
from worker import health


def entered(host: str, server: ValkeyServer) -> None:
    entry = WorkerEntry(
        name=f"worker_{host}", host=host, pid=1, labels={}, trainer={}, summary="", started_at="now"
    )
    register(Store.open(Settings(redis_url=server.url)), entry)


def test_well_while_this_hosts_worker_is_heard_of(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CNTK_JOBS_REDIS_URL", valkey.url)
    entered("elsewhere", valkey)
    assert health.main() == 1
    assert f"no worker of {socket.gethostname()}" in capsys.readouterr().err
    entered(socket.gethostname(), valkey)
    assert health.main() == 0


def test_ill_without_redis(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CNTK_JOBS_REDIS_URL", "unix:///nowhere/valkey.sock")
    assert health.main() == 1
    assert capsys.readouterr().err
