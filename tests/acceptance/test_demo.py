"""The demonstration, as ``scripts/demo`` runs it after set-up."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.running_service import ROOT, gone, surroundings, until


def demo(home: Path, **environment: str) -> subprocess.Popen[str]:
    kept = surroundings()
    return subprocess.Popen(
        [sys.executable, "-m", "client.demo"],
        cwd=ROOT,
        env=kept | {"CNTK_JOBS_HOME": str(home)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pids(home: Path) -> list[int]:
    """The valkey server's pid file is there as soon as anything has been started."""
    return [int(path.read_text()) for path in home.glob("valkey/valkey.pid")]


def test_it_trains_resumes_compares_and_leaves_nothing_running(tmp_path: Path) -> None:
    running = demo(tmp_path)
    until(lambda: pids(tmp_path) or None, "the embedded server")
    (server,) = pids(tmp_path)
    output, errors = running.communicate(timeout=300)
    assert running.returncode == 0, output + errors
    assert "same bits: digits-resumed ends where digits ended" in output
    assert "samples/s" in output
    assert gone(server)
    assert not (tmp_path / "service.json").exists()


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = demo(tmp_path, CNTK_JOBS_PORT=str(port))
        output, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert output == ""
    assert errors.startswith(f"demo: cannot start: port {port} of 127.0.0.1 is in use: ")
    assert errors.count("\n") == 1


def test_being_interrupted_leaves_nothing_running(tmp_path: Path) -> None:
    running = demo(tmp_path)
    until(lambda: (tmp_path / "service.json").exists() or None, "the service")
    (server,) = pids(tmp_path)
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors == "demo: interrupted\n"
    assert gone(server)
