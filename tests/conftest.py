"""Fixtures that several rooms' tests share: a real server for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from service.valkey import binary


class ValkeyServer:
    """A real valkey-server of the tests' own, on a Unix socket, without persistence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [str(binary()), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*argv, "--dir", str(self._folder)],
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, "valkey-server does not answer"
            time.sleep(0.01)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=5, decode_responses=True)

    def stop(self) -> None:
        """Kill it, as a power cut would; nothing is kept."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


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
