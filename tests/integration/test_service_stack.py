"""``python -m service``: starting, healing and stopping as a whole."""

import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running_service import RunningService, gone, until

Start = Callable[..., RunningService]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts services that are stopped at the end of the test, by default on one home."""
    running: list[RunningService] = []

    def start(home: Path = tmp_path / "home", **environment: str) -> RunningService:
        running.append(RunningService(home, **environment))
        return running[-1]

    yield start
    for service in reversed(running):
        service.stop()


def components(service: RunningService) -> dict[str, int]:
    return {name: service.pid(name) for name in ("server", "api", "worker-1")}


def test_it_starts_says_where_and_stops_cleanly(start: Start) -> None:
    service = start().wait_ready()
    with service.client() as client:
        assert client.ready()
    until(lambda: True if "ready" in service.said().split() else None, "the line that says so")
    for word in ("server", "api", "worker-1", "CNTK 2.7", service.url):
        assert word in service.said()

    pids = components(service)
    assert service.stop() == 0
    assert all(gone(pid) for pid in pids.values())
    assert service.said().endswith("stopping\n")
    assert not (service.home / "service.json").exists()


def test_ctrl_c_stops_it_too(start: Start) -> None:
    service = start().wait_ready()
    pids = components(service)
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(60) == 0
    assert all(gone(pid) for pid in pids.values())


def test_what_dies_is_started_again(start: Start) -> None:
    service = start().wait_ready()
    before = components(service)
    for name in before:
        service.kill(name)
    with service.client() as client:
        until(lambda: client.ready() or None, "the service to heal")
        until(lambda: client.workers() or None, "a worker to be heard of")
    after = components(service)
    assert all(after[name] != before[name] for name in before)
    for name in before:
        assert f"{name} was killed by SIGKILL; starting it again" in service.said()


def test_nothing_outlives_a_kill_9_of_the_whole(start: Start) -> None:
    service = start().wait_ready()
    pids = components(service)
    service.process.kill()
    until(lambda: all(gone(pid) for pid in pids.values()) or None, "the children to die")
    # And the folder is free for the next one, which is not misled by what was left there.
    assert start().wait_ready().pid("api") != pids["api"]


def test_a_port_in_use_is_one_clear_line(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = start(CNTK_JOBS_PORT=str(port))
        assert service.process.wait(60) == 1
    assert service.said() == (
        f"cannot start: port {port} of 127.0.0.1 is in use: "
        "stop what uses it, or choose another in CNTK_JOBS_PORT (0: any free one)\n"
    )
    assert list(service.home.iterdir()) == [service.output]


def test_a_second_service_on_the_same_home_is_refused(start: Start) -> None:
    first = start().wait_ready()
    second = RunningService(first.home)
    assert second.process.wait(60) == 1
    assert second.said() == (
        f"cannot start: a service is already running on CNTK_JOBS_HOME={first.home}: "
        "stop it first, or give this one another CNTK_JOBS_HOME\n"
    )
    with first.client() as client:
        assert client.ready()


def test_no_trainer_environment_is_one_clear_line(start: Start, tmp_path: Path) -> None:
    service = start(CNTK_JOBS_TRAINER_ENV=str(tmp_path / "nowhere"))
    assert service.process.wait(60) == 1
    assert service.said() == (
        f"cannot start: there is no trainer environment at {tmp_path / 'nowhere'}: run scripts/setup\n"
    )


def test_settings_that_cannot_be_are_named_with_their_values(start: Start) -> None:
    service = start(CNTK_JOBS_PORT="99999", CNTK_JOBS_WORKERS="none")
    assert service.process.wait(60) == 2
    said = service.said()
    assert "CNTK_JOBS_PORT: " in said
    assert "'99999'" in said
    assert "CNTK_JOBS_WORKERS: " in said


def test_an_address_that_others_reach_needs_tokens(start: Start) -> None:
    service = start(CNTK_JOBS_HOST="0.0.0.0")
    assert service.process.wait(60) == 1
    assert "CNTK_JOBS_API_TOKENS" in service.said()
    assert service.said().startswith("cannot start: will not listen on 0.0.0.0")


def test_an_external_server_is_used_and_left_running(start: Start, tmp_path: Path) -> None:
    first = start().wait_ready()
    url = f"unix://{first.home}/valkey/valkey.sock"
    second = start(tmp_path / "other", CNTK_JOBS_REDIS_URL=url).wait_ready()
    assert "server    external, version" in second.said()
    assert not (second.home / "valkey").exists()
    assert second.stop() == 0
    with first.client() as client:
        assert client.ready()
