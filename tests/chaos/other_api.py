"""A second API process on a service's Redis and volume, as a load balancer would have behind it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.running_service import LIMIT_S, ROOT, surroundings


class OtherApi:
    """``python -m app`` on the ``home`` of a service, on a port of its own; it may not answer yet."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {"CNTK_JOBS_HOME": str(home), "CNTK_JOBS_PORT": str(port)}
        with (home / "other-api.log").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app"],
                cwd=ROOT,
                env={**surroundings(), **environment, **settings},
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )

    def kill(self) -> int:
        self.process.kill()
        self.process.wait(LIMIT_S)
        return self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(LIMIT_S)
