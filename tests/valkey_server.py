"""A real server of the tests' own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import redis

from service.valkey import binary


class ValkeyServer:
    """A real valkey-server of the tests' own, on a Unix socket; ``persistent``: with an append-only file."""

    def __init__(self, folder: Path, *, persistent: bool = False) -> None:
        self._persistence = ["--appendonly", "yes", "--appendfsync", "always"] if persistent else []
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [str(binary()), "--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*argv, *self._persistence, "--dir", str(self._folder)],
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
        """Kill it, as a power cut would; only a persistent one keeps anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
