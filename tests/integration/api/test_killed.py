"""The API is killed while it answers the client: what was asked for is done once, and told in the end."""

from __future__ import annotations

import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from client import Client, Retries
from tests.api_calls import ROWS
from tests.integration.api.test_process import process
from tests.running_service import until
from tests.valkey_server import ValkeyServer

COLUMNS = ["a", "b", "label"]
PATIENT = Retries(count=60, first=0.2, factor=1.1)
"""An API that is started again on a busy machine takes its time."""


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_what_the_client_sent_is_done_once(
    tmp_path: Path, api: httpx.Client, spec: dict[str, Any], valkey: ValkeyServer
) -> None:
    chance = random.Random(11)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    table = tmp_path / "table.csv"
    with Client(url, retries=PATIENT) as client, ThreadPoolExecutor(3) as pool:
        for number in range(2):
            table.write_bytes(ROWS + b"1,2,x\n" * (number + 1))
            with process(tmp_path, valkey, CNTK_JOBS_PORT=str(port)) as serving:
                until(lambda: answers(url), "the API")
                timer = threading.Timer(chance.uniform(0.0, 0.03), serving.kill)
                timer.start()
                submitted = pool.submit(client.jobs.submit, {**spec, "name": f"job {number}"})
                batch = pool.submit(client.jobs.submit_all, [{**spec, "name": f"batch {number}"}] * 2)
                uploaded = pool.submit(client.datasets.add, table, name=f"table {number}", columns=COLUMNS)
                timer.join()
                serving.wait()
            with process(tmp_path, valkey, CNTK_JOBS_PORT=str(port)):
                job = submitted.result(timeout=120)
                jobs = batch.result(timeout=120)
                dataset = uploaded.result(timeout=120)
            assert dataset["splits"]["train"]["rows"] == ROWS.count(b"\n") + number + 1
            assert api.get(f"/v1/datasets/{dataset['id']}").json()["name"] == f"table {number}"
            listed = {found["id"]: found["name"] for found in api.get("/v1/jobs").json()["items"]}
            assert [key for key, name in listed.items() if name == f"job {number}"] == [job.id]
            made = {key for key, name in listed.items() if name == f"batch {number}"}
            assert made == {found.id for found in jobs}
            assert len(made) == 2
    assert len(api.get("/v1/datasets").json()["items"]) == 3
