"""Store, volume and real workers whose trainer is tests/practice_trainer.py."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.checkpoints import Chosen
from jobs.idempotency import Claim
from jobs.journal import read_events
from jobs.queue import TokenQueue
from jobs.record import Record
from jobs.settings import Settings
from jobs.specs.normalise import NormalisedSpec
from jobs.states import State
from jobs.store import Store
from jobs.submission.new_run import Submission
from jobs.submission.submit import enqueue
from jobs.volume import make_volume
from trainer.files import read_json, write_json
from trainer.layout import RunDirectory

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 60


class Workplace:
    """One volume and one Redis; as many workers as a test starts. Use as a context manager."""

    def __init__(self, home: Path, redis_url: str, **settings: Any) -> None:
        self.settings = Settings(
            home=home, redis_url=redis_url, trainer_env=home / "trainer", **{"lease_seconds": 2, **settings}
        )
        self.volume = self.settings.volume
        self.store = Store.open(self.settings)
        make_volume(self.volume, self.store)
        self.queue = TokenQueue(self.store.client)
        self._workers: list[subprocess.Popen[bytes]] = []
        program = self.settings.trainer_env / "practice"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/practice_trainer.py "$@"\n')
        program.chmod(0o755)
        write_json(
            self.settings.trainer_env / "trainer.json",
            {
                "python": str(program),
                "python_version": "3.6.15",
                "shim": False,
                "mpi": "stub",
                "cntk_version": "2.7",
                "library_path": [],
                "python_path": [],
                "gpu": None,
                "cpu": {"model": "any", "cores": 2, "flags": []},
                "summary": "a trainer for practice",
            },
        )
        self.dataset("ds_practice")

    def __enter__(self) -> Workplace:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def dataset(self, dataset_id: str) -> None:
        schema = {"id": dataset_id, "name": "", "created_at": "2026-01-01T00:00:00Z", "format": "csv"}
        nothing = {"rows": 0, "size": 0, "sources": [], "options": {}, "fields": {}, "splits": {}}
        write_json(self.volume.dataset(dataset_id).schema, {"schema_version": 1, **schema, **nothing})

    def submit(
        self,
        *,
        start: Chosen | None = None,
        dataset: str = "ds_practice",
        limits: dict[str, Any] | None = None,
        claim: Claim | None = None,
        spec: dict[str, Any] | None = None,
        owner: str | None = None,
        **practice: Any,
    ) -> Record:
        """Queue a job; keywords as tests/practice_trainer.py explains them."""
        document: dict[str, Any] = {
            "name": "practice",
            "dataset": dataset,
            "fingerprint": "0" * 64,
            "start_from": None,
            "training": {"threads": 1},
            "limits": limits or {},
            **(spec or {}),
            "watch": {"metric": "error", "split": "valid", "better": "lower"},
            "practice": {"steps": 4, "seconds": 0.01, "checkpoint_every": 2, **practice},
        }
        if start is not None:
            document["start_from"] = {"job": start.manifest["job"], "checkpoint": "latest", "mode": "exact"}
        submission = Submission(NormalisedSpec(document), start, claim=claim, owner=owner)
        return enqueue(submission, self.store, self.volume).record

    def start_worker(
        self, environment: dict[str, str] | None = None, **labels: str
    ) -> subprocess.Popen[bytes]:
        worker = worker_process(self.settings, environment, **labels)
        self._workers.append(worker)
        return worker

    @property
    def worker_log(self) -> str:
        return _text(self.settings.home / "worker.log")

    def trainers(self) -> list[int]:
        """Pids of the trainers that live now."""
        recorded = self.volume.jobs.glob("*/attempts/*/process.json")
        return [pid for pid in sorted(int(read_json(path)["pid"]) for path in recorded) if alive(pid)]

    def supervisor_of(self, trainer: int) -> int:
        """Pid of the process that supervises a trainer."""
        recorded = (read_json(path) for path in self.volume.jobs.glob("*/attempts/*/process.json"))
        return next(int(found["supervisor"]) for found in recorded if found["pid"] == trainer)

    def run(self, job_id: str) -> RunDirectory:
        return self.volume.job(job_id)

    def wait_until(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not met():
            assert time.monotonic() < deadline, self.worker_log
            time.sleep(0.01)

    def wait_for(self, job_id: str, state: State) -> Record:
        """The record once the job is in a state."""
        self.wait_until(lambda: self.store.get(job_id).state is state)
        return self.store.get(job_id)

    def events(self, job_id: str) -> list[dict[str, Any]]:
        """A job's events on the volume, which has the last ones a moment after the record."""
        self.wait_until(lambda: not self.store.unjournaled())
        return read_events(self.run(job_id))

    def trainer_at_work(self, job_id: str, attempt: int = 1, checkpoints: int = 0) -> int:
        """Pid of an attempt's trainer, once it has trained and published so many checkpoints."""
        run = self.run(job_id)
        self.wait_until(
            lambda: (
                run.attempt(attempt).process.exists()
                and "first_minibatch" in _text(run.attempt(attempt).facts)
                and len(run.published_checkpoints()) >= checkpoints
            )
        )
        return int(read_json(run.attempt(attempt).process)["pid"])


def worker_process(
    settings: Settings, more: dict[str, str] | None = None, **labels: str
) -> subprocess.Popen[bytes]:
    """A worker that has these settings and labels and no others; it adds to worker.log in their home."""
    environment = {
        "CNTK_JOBS_HOME": str(settings.home),
        "CNTK_JOBS_REDIS_URL": str(settings.redis_url),
        "CNTK_JOBS_TRAINER_ENV": str(settings.trainer_env),
        "CNTK_JOBS_LEASE_SECONDS": str(settings.lease_seconds),
        "CNTK_JOBS_WORKER_LABELS": ",".join(f"{name}={value}" for name, value in labels.items()),
        "CNTK_JOBS_STALL_SECONDS": str(settings.stall_seconds),
        "CNTK_JOBS_LOG": settings.log,
        "CNTK_JOBS_STOP_GRACE_SECONDS": str(settings.stop_grace_seconds),
        "CNTK_JOBS_WARM": str(settings.warm),
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],
        **(more or {}),
    }
    with (settings.home / "worker.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "worker"], env=environment, stdout=log, stderr=log)


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def undisturbed(steps: int) -> str:
    """What the practice trainer's parameters hash to after so many steps."""
    chain = ""
    for step in range(1, steps + 1):
        chain = hashlib.sha256(f"{chain}{step}".encode()).hexdigest()
    return chain


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in _text(Path(f"/proc/{pid}/status"))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
