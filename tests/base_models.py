"""A service that imports models, and models to bring to it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from jobs.settings import Settings
from tests.running_api import running_api
from tests.trainer_scripts import in_trainer
from tests.workplace import worker_process

PATIENCE_SECONDS = 90


def ask_cntk(environment: dict[str, Any], *asked: dict[str, Any]) -> list[Any]:
    """What tests/in_trainer/models.py answers."""
    answers: list[Any] = in_trainer(environment, "models", list(asked))
    return answers


class Importing:
    """An API, and workers as a test starts them, on one volume."""

    def __init__(self, settings: Settings, client: httpx.Client) -> None:
        self.settings, self.client = settings, client
        self._workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self) -> subprocess.Popen[bytes]:
        worker = worker_process(self.settings)
        self._workers.append(worker)
        return worker

    def stop(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def bring(self, path: Path, filename: str = "", **options: Any) -> httpx.Response:
        with path.open("rb") as stream:
            return self.client.post(
                "/v1/models",
                files={"file": (filename or path.name, stream)},
                data={"options": json.dumps(options)},
            )

    def settled(self, model_id: str) -> dict[str, Any]:
        """The record once the import has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            record: dict[str, Any] = self.client.get(f"/v1/models/{model_id}").json()
            if record["status"] != "importing":
                return record
            assert time.monotonic() < deadline, (self.settings.home / "worker.log").read_text()
            time.sleep(0.05)

    def imported(self, path: Path, **options: Any) -> dict[str, Any]:
        answer = self.bring(path, **options)
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/v1/models/{answer.json()['id']}"
        return self.settled(answer.json()["id"])


@contextmanager
def importing(home: Path, redis_url: str) -> Iterator[Importing]:
    settings = Settings(home=home, redis_url=redis_url, api_tokens=(), lease_seconds=2)
    with running_api(settings) as client:
        place = Importing(settings, client)
        try:
            yield place
        finally:
            place.stop()
