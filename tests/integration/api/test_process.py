"""``python -m app`` as a process: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.__main__ import listen
from jobs.settings import Settings
from tests.running_service import ROOT, surroundings, until
from tests.valkey_server import ValkeyServer


@contextmanager
def process(tmp_path: Path, valkey: ValkeyServer, **environment: str) -> Iterator[subprocess.Popen[str]]:
    kept = surroundings()
    ours = {"CNTK_JOBS_HOME": str(tmp_path), "CNTK_JOBS_REDIS_URL": valkey.url, "CNTK_JOBS_PORT": "0"}
    with (tmp_path / "output").open("w") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", "app"],
            cwd=ROOT,
            env=kept | ours | environment,
            stdout=output,
            stderr=output,
            text=True,
        )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def output(tmp_path: Path) -> str:
    return (tmp_path / "output").read_text(encoding="utf-8")


def url(tmp_path: Path) -> str:
    return until(lambda: re.search(r"http://[\d.]+:\d+", output(tmp_path)), "the address").group()


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"CNTK_JOBS_HOST": "0.0.0.0"}, "CNTK_JOBS_API_TOKENS"),
        ({"CNTK_JOBS_PORT": "many"}, "CNTK_JOBS_PORT"),
        ({"CNTK_JOBS_PORT": "70000"}, "CNTK_JOBS_PORT"),
    ],
)
def test_refuses_in_one_line(
    tmp_path: Path, valkey: ValkeyServer, environment: dict[str, str], named: str
) -> None:
    with process(tmp_path, valkey, **environment) as refused:
        assert refused.wait(60) == 2
    said = output(tmp_path)
    assert named in said
    assert said.count("\n") == 1


def test_port_in_use(tmp_path: Path, valkey: ValkeyServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with process(tmp_path, valkey, CNTK_JOBS_PORT=port) as refused:
            assert refused.wait(60) == 2
    assert output(tmp_path).startswith(f"cntk-jobs: cannot listen on 127.0.0.1 port {port}: Address already")
    assert output(tmp_path).count("\n") == 1


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly_with_a_stream_open(tmp_path: Path, valkey: ValkeyServer, stop: signal.Signals) -> None:
    with valkey.client() as client:
        fields = {"id": "job_1", "name": "n", "state": "queued", "reason": "submitted", "seq": "0"}
        times = dict.fromkeys(("created_at", "updated_at", "phase_at"), "1")
        client.hset("cj:job:job_1", mapping=fields | times | {"dataset": "ds_1", "fingerprint": "f"})
    with process(tmp_path, valkey) as serving:
        sse = {"accept": "text/event-stream"}
        with httpx.stream("GET", f"{url(tmp_path)}/v1/jobs/job_1/events", headers=sse) as stream:
            assert stream.status_code == 200
            serving.send_signal(stop)
            # The server ends the stream, not the client.
            assert list(stream.iter_lines()) == []
        assert serving.wait(60) == 0
    assert "Traceback" not in output(tmp_path)
    assert "exceeded" not in output(tmp_path)


def test_listens_elsewhere_with_tokens(tmp_path: Path, valkey: ValkeyServer) -> None:
    with process(tmp_path, valkey, CNTK_JOBS_HOST="127.0.0.1", CNTK_JOBS_API_TOKENS="a,b") as serving:
        address = url(tmp_path)
        assert httpx.get(f"{address}/v1/jobs").status_code == 401
        answer = httpx.get(f"{address}/v1/jobs", headers={"authorization": "Bearer b"})
        assert answer.status_code == 200
        assert serving.poll() is None


def test_answers_do_not_wait_for_acknowledgements(tmp_path: Path) -> None:
    """asyncio sets TCP_NODELAY on sockets that name their protocol, and on no others."""
    with listen(Settings(home=tmp_path, port=0)) as listener:
        assert listener.proto == socket.IPPROTO_TCP
