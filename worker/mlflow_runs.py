"""Runs in MLflow, where MLFLOW_TRACKING_URI names a server: parameters, metrics, and at the end the model.

A process of its own beside each attempt (``python -m worker.mlflow_runs <run directory> <attempt>``) reads
what the trainer reports. A server that is slow, away or refuses hurts nobody but this process.
``mlflow.json`` in the run directory says which run is the job's and how far it was told, so the next attempt
goes on with the same one.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.log import bind, set_up
from jobs.settings import Settings
from jobs.states import TERMINAL, State
from trainer.files import complete_lines, read_json, write_json
from trainer.layout import RunDirectory
from worker.tensorboard import scalars

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger("worker.mlflow")

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENT = "cntk-jobs"
LOOK_SECONDS = 1.0
LAST_SECONDS = 120.0
"""How long the server may be away at the end of an attempt before the rest is given up."""
_BATCH = 500
_STATUS = {State.SUCCEEDED: "FINISHED", State.FAILED: "FAILED", State.CANCELLED: "KILLED"}
# The client's own patience is minutes; here the next look tries again.
_IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class Beside:
    """The process beside an attempt, for its supervisor: begun with it, told its end."""

    def __init__(self, run: RunDirectory, attempt: int) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            return
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "worker.mlflow_runs", str(run.path), str(attempt)],
                cwd=ROOT,
                env={**_IMPATIENT, **os.environ},
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            log.warning("no run in MLflow: %s", error)

    def end(self, state: State) -> None:
        """The attempt has ended and left the job in this state."""
        if self._process is not None and self._process.stdin is not None:
            try:
                self._process.stdin.write(state.value.encode())
                self._process.stdin.close()
            except OSError:
                return  # it is gone, and has said why


class Told:
    """A job's run in MLflow, and how far it was told."""

    def __init__(self, client: MlflowClient, run: RunDirectory) -> None:
        self._client = client
        self._run = run
        self._file = run.path / "mlflow.json"
        found = read_json(self._file) if self._file.is_file() else {}
        self._id: str | None = found.get("run_id")
        self._attempt, self._offset = found.get("attempt", 1), found.get("offset", 0)
        self._reached: dict[str, int] = found.get("reached", {})
        """The last step of each metric."""

    def begin(self) -> None:
        """Have a run: the one of earlier attempts, or a new one with the spec as its parameters."""
        from mlflow.entities import Param

        if self._id is not None:
            self._client.update_run(self._id, status="RUNNING")
            return
        spec = read_json(self._run.spec)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        experiment = self._client.get_experiment_by_name(name)
        made = experiment.experiment_id if experiment else self._client.create_experiment(name)
        tags = {"cntk_jobs.job": self._run.path.name, "cntk_jobs.dataset": spec["dataset"]}
        self._id = self._client.create_run(
            made, run_name=spec["name"] or self._run.path.name, tags=tags
        ).info.run_id
        self._save()
        given = [Param(key, value) for key, value in parameters(spec)]
        for first in range(0, len(given), 100):
            self._client.log_batch(self._id, params=given[first : first + 100])

    def look(self, last: int) -> None:
        """Tell what was reported since the last time, up to attempt ``last``; each step once."""
        from mlflow.entities import Metric

        for attempt in range(self._attempt, last + 1):
            offset = self._offset if attempt == self._attempt else 0
            metrics, reached = [], dict(self._reached)
            for line in complete_lines(self._run.attempt(attempt).facts, offset):
                offset = line.end
                fact = line.value() or {"type": "torn"}
                for tag, value in scalars(fact):
                    # An attempt that repeats a step comes to the same numbers.
                    if fact["step"] > reached.get(tag, -1):
                        reached[tag] = fact["step"]
                        at = round(fact["time"] * 1000)
                        metrics.append(Metric(named(tag), value, at, fact["step"]))
            for first in range(0, len(metrics), _BATCH):
                self._client.log_batch(str(self._id), metrics=metrics[first : first + _BATCH])
            if (attempt, offset) != (self._attempt, self._offset):
                self._attempt, self._offset, self._reached = attempt, offset, reached
                self._save()

    def conclude(self, state: State) -> None:
        """Leave the result files with the run, and say how the job ended."""
        if state not in TERMINAL:
            return
        result = read_json(self._run.result) if self._run.result.is_file() else {}
        for name in ("parameters_sha256", "reason"):
            if result.get(name):
                self._client.set_tag(str(self._id), f"cntk_jobs.{name}", result[name])
        artifacts = self._run.artifacts
        for path in sorted(artifacts.rglob("*")) if artifacts.is_dir() else ():
            where = path.parent.relative_to(artifacts)
            if path.is_file() and "tensorboard" not in where.parts and not path.name.startswith("."):
                self._client.log_artifact(str(self._id), str(path), str(where) if where.parts else None)
        self._client.set_terminated(str(self._id), _STATUS[state])

    def _save(self) -> None:
        told = {"attempt": self._attempt, "offset": self._offset, "reached": self._reached}
        write_json(self._file, {"run_id": self._id, **told})


def parameters(spec: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The spec as flat names and values, as ``learner.alpha``; a list is one value."""
    for key, value in spec.items():
        if isinstance(value, Mapping):
            yield from parameters(value, f"{prefix}{key}.")
        elif value is not None:
            yield named(f"{prefix}{key}"), str(value)[:6000]


def named(tag: str) -> str:
    """A name that MLflow takes."""
    return re.sub(r"[^\w./ -]", "_", tag)[:250]


def follow(run: RunDirectory, attempt: int) -> None:
    """Tell MLflow of an attempt until standard input says how it ended."""
    from mlflow import MlflowClient

    told, begun, concluded = Told(MlflowClient(), run), False, False
    state: State | None = None
    deadline, warned = float("inf"), False
    while not concluded and time.monotonic() < deadline:
        if state is None and select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
            word = sys.stdin.read()
            if not word:
                return  # the supervisor was killed: the next attempt goes on with the run
            state = State(word)
            deadline = time.monotonic() + LAST_SECONDS
        try:
            if not begun:
                told.begin()
                begun = True
            told.look(attempt)
            if state is not None:
                told.conclude(state)
                concluded = True
        except Exception as error:
            if not warned:
                log.warning("MLflow cannot be told now: %s", error)
            warned = True
            time.sleep(LOOK_SECONDS if state is not None else 0)
    if not concluded:
        log.warning("MLflow was not told how %s ended", run.path.name)


def main() -> int:
    run, attempt = RunDirectory(Path(sys.argv[1])), int(sys.argv[2])
    set_up("worker", Settings().log)
    bind(job=run.path.name, attempt=attempt)
    # The process beside the attempt before may not be done yet.
    with (run.path / "mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            follow(run, attempt)
        except ImportError:
            log.warning("no run in MLflow: it is not installed (pip install 'cntk-jobs[mlflow]')")
    return 0


if __name__ == "__main__":
    sys.exit(main())
