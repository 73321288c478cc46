"""Runs in MLflow, on its real server: one a job, whatever happens to attempts; and a server that is away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.states import State
from tests.peers import ENVIRONMENT
from tests.running_service import until
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace, kill

SERVER = ENVIRONMENT / "bin" / "mlflow"
needs_mlflow = pytest.mark.skipif(
    not SERVER.exists(), reason="MLflow's server is not there to log to (scripts/setup --peers)"
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    argv = [SERVER, "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", folder / "a"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=f"{url}/api/2.0/mlflow", timeout=30) as client:

            def answers() -> bool | None:
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    return httpx.get(f"{url}/health", timeout=10).status_code == 200 or None
                except httpx.HTTPError:
                    return None

            # It makes its tables first.
            until(answers, "MLflow's server", 300)
            yield client
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def runs_of(server: httpx.Client, job_id: str) -> list[dict[str, Any]]:
    experiment = server.get("/experiments/get-by-name", params={"experiment_name": "cntk-jobs"})
    if experiment.status_code == 404:
        return []
    asked = {
        "experiment_ids": [experiment.json()["experiment"]["experiment_id"]],
        "filter": f"tags.`cntk_jobs.job` = '{job_id}'",
    }
    found: list[dict[str, Any]] = server.post("/runs/search", json=asked).json().get("runs", [])
    return found


def ended_run(place: Workplace, server: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job's only run, once it has ended."""
    place.wait_until(lambda: [r["info"]["status"] for r in runs_of(server, job_id)] not in ([], ["RUNNING"]))
    [run] = runs_of(server, job_id)
    return run


def history(server: httpx.Client, run: dict[str, Any], metric: str) -> list[tuple[int, float]]:
    asked = {"run_id": run["info"]["run_id"], "metric_key": metric, "max_results": 1000}
    found = server.get("/metrics/get-history", params=asked).json()["metrics"]
    return sorted((int(point["step"]), point["value"]) for point in found)


@needs_mlflow
@pytest.mark.parametrize("killed", [None, "trainer", "worker"])
def test_a_job_is_one_run(place: Workplace, server: httpx.Client, killed: str | None) -> None:
    url = str(server.base_url).removesuffix("/api/2.0/mlflow/")
    worker = place.start_worker(environment={"MLFLOW_TRACKING_URI": url})
    pace = {"seconds": 0.02, "steps": 200} if killed else {"steps": 8}
    job_id = place.submit(epoch_every=4, checkpoint_every=10, **pace).id
    if killed:
        trainer = place.trainer_at_work(job_id, checkpoints=2)
        if killed == "trainer":
            kill(trainer)
        else:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            place.start_worker(environment={"MLFLOW_TRACKING_URI": url})
    place.run(job_id).artifacts.mkdir(exist_ok=True)
    (place.run(job_id).artifacts / "model.dnn").write_bytes(b"the model")
    record = place.wait_for(job_id, State.SUCCEEDED)
    assert record.attempt == (2 if killed else 1)
    run = ended_run(place, server, job_id)
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", "practice")
    parameters = {entry["key"]: entry["value"] for entry in run["data"]["params"]}
    assert parameters["training.threads"] == "1"
    assert parameters["dataset"] == "ds_practice"
    epochs = [event for event in place.events(job_id) if event["type"] == "epoch"]
    told = {event["step"]: event["losses"]["train"]["total"] for event in epochs}
    assert history(server, run, "losses/total/train") == [
        (step, pytest.approx(loss)) for step, loss in sorted(told.items())
    ]
    files = server.get("/artifacts/list", params={"run_id": run["info"]["run_id"]}).json()["files"]
    assert [(entry["path"], entry["file_size"]) for entry in files] == [("model.dnn", len(b"the model"))]
    tags = {entry["key"]: entry["value"] for entry in run["data"]["tags"]}
    assert record.result is not None
    assert tags["cntk_jobs.parameters_sha256"] == record.result["parameters_sha256"]


@needs_mlflow
def test_a_job_that_fails(place: Workplace, server: httpx.Client) -> None:
    url = str(server.base_url).removesuffix("/api/2.0/mlflow/")
    place.start_worker(environment={"MLFLOW_TRACKING_URI": url})
    job_id = place.submit(fail={"reason": "diverged", "detail": "at step 4"}).id
    place.wait_for(job_id, State.FAILED)
    assert ended_run(place, server, job_id)["info"]["status"] == "FAILED"


def test_a_server_that_is_away_does_not_hurt_the_job(place: Workplace) -> None:
    place.start_worker(environment={"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{free_port()}"})
    first, second = place.submit().id, place.submit().id
    for job_id in (first, second):
        record = place.wait_for(job_id, State.SUCCEEDED)
        assert (record.attempt, record.crashes) == (1, 0)
