"""What the doctor finds missing, and the cure that it names."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service import doctor
from service.finding import Finding
from tests.running_service import ROOT, surroundings


def look(home: Path, **environment: str) -> tuple[int, dict[str, Finding]]:
    done = subprocess.run(
        [sys.executable, "-m", "service.doctor"],
        cwd=ROOT,
        env=surroundings() | {"CNTK_JOBS_HOME": str(home), "CNTK_JOBS_PORT": "0"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert not done.stderr
    return done.returncode, {finding["name"]: finding for finding in json.loads(done.stdout)}


def test_all_is_well_and_nothing_is_left_behind(tmp_path: Path) -> None:
    status, found = look(tmp_path / "home")
    assert status == 0
    assert list(found) == [
        "python", "settings", "interpreter", "cntk", "sandbox", "mpi", "redis", "volume", "disk", "port",
    ]  # fmt: skip
    assert found["cntk"]["detail"] == "CNTK 2.7"
    assert not any(finding["cure"] for finding in found.values() if finding["state"] == "ok")
    assert list(tmp_path.iterdir()) == []


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        status, found = look(
            file / "home",
            CNTK_JOBS_TRAINER_ENV=str(tmp_path / "none"),
            CNTK_JOBS_REDIS_URL="redis://127.0.0.1:9",
            CNTK_JOBS_PORT=str(taken.getsockname()[1]),
        )
    assert status == 1
    missing = {name for name, finding in found.items() if finding["state"] == "missing"}
    assert missing == {"interpreter", "redis", "volume", "port"}
    assert "run scripts/setup" in found["interpreter"]["cure"]
    assert "CNTK_JOBS_HOME" in found["volume"]["cure"]
    assert "CNTK_JOBS_PORT" in found["port"]["cure"]
    assert all(finding["cure"] for finding in found.values() if finding["state"] == "missing")


def test_a_trainer_that_cannot_import_cntk(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    environment.mkdir()
    about = {"python": sys.executable, "python_path": [], "library_path": [], "mpi": "stub"}
    (environment / "trainer.json").write_text(json.dumps(about))
    status, found = look(tmp_path / "home", CNTK_JOBS_TRAINER_ENV=str(environment))
    assert status == 1
    assert "No module named 'cntk'" in found["cntk"]["detail"]
    assert found["cntk"]["cure"] == "run scripts/setup"


def test_settings_that_are_wrong(tmp_path: Path) -> None:
    status, found = look(tmp_path, CNTK_JOBS_PORT="many")
    assert status == 1
    assert "CNTK_JOBS_PORT" in found["settings"]["detail"]


def test_little_room_is_a_warning_and_too_little_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNTK_JOBS_HOME", str(tmp_path))
    settings = doctor.Settings()
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    for limit, state in (("LITTLE_BYTES", "warning"), ("TOO_LITTLE_BYTES", "missing")):
        monkeypatch.setattr(doctor, limit, free * 2)
        found = {finding["name"]: finding for finding in doctor.volume(settings)}
        assert found["disk"]["state"] == state
        assert "free some space" in found["disk"]["cure"]
