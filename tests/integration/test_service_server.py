"""The embedded server by itself."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from jobs.settings import Settings
from service import valkey
from service.child import Child
from service.errors import StartError
from tests.running_service import ROOT, gone, until


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "a home")


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[Child]:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    server = valkey.embedded(settings, tmp_path / "server.log", lock)
    started(server)
    yield server
    server.kill()
    os.close(lock)


def started(server: Child) -> None:
    server.start()
    until(lambda: server.answers() or None, "the server to answer")


def connection(settings: Settings) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(settings.embedded_socket), decode_responses=True)


def test_it_listens_on_a_socket_of_its_owner_and_on_no_port(server: Child, settings: Settings) -> None:
    with connection(settings) as client:
        config = client.config_get("port", "appendonly", "appendfsync", "maxmemory-policy", "save")
    assert config == {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
    }
    assert stat.S_IMODE(settings.embedded_socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(settings.embedded_socket.parent.stat().st_mode) == 0o700


def test_what_it_has_acknowledged_outlives_kill_9(server: Child, settings: Settings) -> None:
    with connection(settings) as client:
        client.set("kept", "yes")
    server.kill()
    assert not server.answers()
    assert server.ending() == "was killed by SIGKILL"
    started(server)
    with connection(settings) as client:
        assert client.get("kept") == "yes"


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    program = """
        import os, signal, sys, time
        from pathlib import Path
        from jobs.settings import Settings
        from service import valkey
        home = Path(sys.argv[1])
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT)
        server = valkey.embedded(Settings(home=home), home / "server.log", lock)
        server.start()
        while not server.answers():
            time.sleep(0.01)
        print(server.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    parent = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    server = int(parent.stdout)
    until(lambda: gone(server) or None, "the server to die with its parent")


def test_a_path_too_long_for_a_socket_is_refused_by_its_length(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"CNTK_JOBS_HOME .* 1\d\d bytes of the 107"):
        valkey.embedded(Settings(home=tmp_path / ("x" * 90)), tmp_path / "log", 0)


def test_an_external_server_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="CNTK_JOBS_REDIS_URL does not answer"):
        valkey.check_external(f"unix://{tmp_path}/nothing.sock")


def test_an_external_server_says_its_version(server: Child, settings: Settings) -> None:
    assert valkey.check_external(f"unix://{settings.embedded_socket}").startswith("external, version ")


def test_an_external_server_that_may_evict_jobs_is_refused(server: Child, settings: Settings) -> None:
    with connection(settings) as client:
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(StartError, match=r"allkeys-lru.*noeviction"):
        valkey.check_external(f"unix://{settings.embedded_socket}")


def test_the_last_words_of_a_server_that_cannot_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with (tmp_path / "lock").open("w") as lock:
        server = valkey.embedded(settings, tmp_path / "server.log", lock.fileno())
        # Its append-only file is not what it wrote.
        folder = settings.embedded_socket.parent / "appendonlydir"
        folder.mkdir()
        (folder / "appendonly.aof.manifest").write_text("garbage\n")
        server.start()
    until(lambda: None if server.alive else True, "the server to give up")
    assert server.ending().startswith("ended with exit status")
    assert "manifest" in server.last_words()
