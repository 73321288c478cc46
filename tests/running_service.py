"""The whole service as a process, for tests that need it running."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from client import Client

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 120.0

Found = TypeVar("Found")
_number = itertools.count(1)


def surroundings() -> dict[str, str]:
    """The environment without any setting of the service but the chosen trainer's environment."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CNTK_JOBS_") or name == "CNTK_JOBS_TRAINER_ENV"
    }


def until(look: Callable[[], Found | None], what: str, limit: float = LIMIT_S) -> Found:
    """What ``look`` finds once it finds something; AssertionError when it takes too long."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {limit:.0f} s for {what}")


class RunningService:
    """``python -m service`` on ``home``; on a free port unless told otherwise."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        # A log of its own: two services on one home would write over each other's.
        self.output = home / f"service-{next(_number)}.log"
        kept = surroundings()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service"],
                cwd=ROOT,
                env=kept | {"CNTK_JOBS_HOME": str(home), "CNTK_JOBS_PORT": "0"} | environment,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )

    def wait_ready(self) -> RunningService:
        """Wait until it takes jobs; AssertionError with its output where it gives up."""
        until(self._ready, "the service to be ready")
        return self

    def _ready(self) -> bool | None:
        assert self.process.poll() is None, self.said()
        try:
            # A service that was killed left its own state in the same folder.
            return self._state()["pid"] == self.process.pid or None
        except FileNotFoundError:
            return None

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    @property
    def url(self) -> str:
        return str(self._state()["url"])

    def pid(self, name: str) -> int:
        """The process of "server", "api" or "worker-1" at this moment."""
        processes = self._state()["processes"]
        assert isinstance(processes, dict)
        return int(processes[name])

    def _state(self) -> dict[str, object]:
        return dict(json.loads((self.home / "service.json").read_text(encoding="utf-8")))

    def kill(self, name: str) -> int:
        """kill -9 for one component; the pid of its successor once there is one."""
        old = self.pid(name)
        os.kill(old, signal.SIGKILL)
        return until(lambda: new if (new := self.pid(name)) != old else None, f"another {name}")

    def client(self) -> Client:
        return Client(self.url)

    def stop(self) -> int:
        """SIGTERM, and the exit status once it is gone."""
        self.process.terminate()
        return self.process.wait(LIMIT_S)


def gone(pid: int) -> bool:
    """Whether a process has ended (one that nobody has waited for yet has)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"
