"""CNTK_JOBS_LOG=json: every line of every process is one object, which tells of its request or job."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.log import NAMES, JsonLines
from jobs.states import State
from tests.running_service import until
from tests.valkey_server import ValkeyServer
from tests.workplace import ROOT, Workplace

ALWAYS = {"time", "level", "component", "logger", "message"}


def objects(text: str, component: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        assert set(line) >= ALWAYS
        assert set(line) <= ALWAYS | {"error"} | set(NAMES)
        assert line["component"] == component
    return lines


def test_a_worker_tells_of_job_and_attempt(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workplace(tmp_path, valkey.url, log="json") as place:
        place.start_worker()
        job_id = place.submit(crash_at=3).id
        record = place.wait_for(job_id, State.FAILED)
        place.wait_until(lambda: "(crashed)" in place.worker_log.splitlines()[-1])
        lines = objects(place.worker_log, "worker")
    of_job = [line for line in lines if line.get("job") == job_id]
    assert {line["worker"] for line in of_job} == {record.worker}
    for attempt in range(1, record.attempt + 1):
        told = [line["message"] for line in of_job if line["attempt"] == attempt]
        assert [word for word in ("begins", "ended") if any(word in each for each in told)] == [
            "begins",
            "ended",
        ]


def test_the_api_tells_of_requests(tmp_path: Path, valkey: ValkeyServer) -> None:
    environment = {
        "CNTK_JOBS_HOME": str(tmp_path),
        "CNTK_JOBS_REDIS_URL": valkey.url,
        "CNTK_JOBS_PORT": "0",
        "CNTK_JOBS_LOG": "json",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    path = tmp_path / "api.log"
    with path.open("wb") as log:
        api = subprocess.Popen([sys.executable, "-m", "app"], env=environment, stdout=log, stderr=log)
    try:

        def listening() -> str | None:
            words = path.read_text().split("listening on ")
            return words[1].split('"')[0] if len(words) > 1 else None

        with httpx.Client(base_url=until(listening, "the API's address"), timeout=30) as client:
            assert client.get("/v1/jobs/job_1", headers={"X-Request-Id": "mine"}).status_code == 404
            assert client.get("/healthz").status_code == 200
            # A directory in the place of a file is a failure of ours.
            broken = "ds_" + "0" * 24
            (tmp_path / "volume" / "datasets" / broken / "schema.json").mkdir(parents=True)
            assert client.get(f"/v1/datasets/{broken}", headers={"X-Request-Id": "bad"}).status_code == 500
    finally:
        api.terminate()
        assert api.wait(timeout=30) == 0
    lines = objects(path.read_text(), "api")
    [missing] = [line for line in lines if line.get("request_id") == "mine"]
    assert {name: missing[name] for name in ("method", "path", "status", "job")} == {
        "method": "GET",
        "path": "/v1/jobs/job_1",
        "status": 404,
        "job": "job_1",
    }
    assert 0 < missing["seconds"] < 30
    [failed] = [line for line in lines if "error" in line]
    assert failed["request_id"] == "bad"
    assert failed["level"] == "error"
    assert "IsADirectoryError" in failed["error"]


def test_the_service_and_what_keeps_it_from_starting(tmp_path: Path) -> None:
    environment = {
        "CNTK_JOBS_HOME": str(tmp_path),
        "CNTK_JOBS_TRAINER_ENV": str(tmp_path / "nowhere"),
        "CNTK_JOBS_LOG": "json",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "service"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    [line] = objects(ended.stderr, "service")
    assert (line["level"], line["message"].split(":")[0]) == ("error", "cannot start")


def test_a_line_is_one_line_whatever_is_said() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "two\nlines %s", (object,), None)
    text = JsonLines("api", {"request_id": lambda: None}).format(record)
    assert "\n" not in text
    assert set(json.loads(text)) == ALWAYS
