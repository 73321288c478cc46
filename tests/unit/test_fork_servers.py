"""Servers of forks and the trainers that they fork: life, death and what each is told of the other."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.workplace import ROOT, alive, kill
from trainer.files import read_json, write_json
from trainer.layout import RunDirectory
from worker import fork_servers
from worker.fork_servers import ForkedTrainer, ForkServer, ForkServers, Program, Request
from worker.processes import kill_group

LONG = {"steps": 10**6, "seconds": 0.01, "checkpoint_every": 10**6}
PATIENCE_SECONDS = 60


def until(met: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The trainer that has no CNTK."""
    script = tmp_path_factory.mktemp("trainer") / "practice"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT}/tests/practice_trainer.py "$@"\n')
    script.chmod(0o755)
    return Program(str(script), {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]})


@pytest.fixture
def server(program: Program, tmp_path: Path) -> Iterator[ForkServer]:
    server = ForkServer(program, tmp_path)
    until(lambda: server.ready)
    yield server
    server.close()


class Runs:
    """Run directories of the practice trainer, below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trainers: list[ForkedTrainer] = []

    def start(self, server: ForkServer, name: str = "a", **practice: Any) -> tuple[RunDirectory, Any]:
        """A run directory and its trainer, which alone has the lock; None where no trainer was forked."""
        run = RunDirectory(self.folder / name)
        attempt = run.attempt(1)
        attempt.path.mkdir(parents=True)
        behaviour = {"steps": 3, "seconds": 0.001, "checkpoint_every": 2, **practice}
        write_json(run.spec, {"practice": behaviour})
        with (
            attempt.stdout.open("ab") as stdout,
            attempt.stderr.open("ab") as stderr,
            run.lock.open("w") as lock,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX)
            trainer = server.start(Request(run.path, "1", run.path, lock.fileno(), stdout, stderr))
        self.trainers += [trainer] if trainer else []
        return run, trainer


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    for trainer in runs.trainers:
        trainer.close()


def ended(trainer: ForkedTrainer) -> int:
    until(lambda: trainer.poll() is not None)
    assert trainer.returncode is not None
    return trainer.returncode


def began(run: RunDirectory) -> bool:
    facts = run.attempt(1).facts
    return facts.exists() and "first_minibatch" in facts.read_text()


def locked(run: RunDirectory) -> bool:
    with run.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_trainer_comes_to_its_end(server: ForkServer, runs: Runs) -> None:
    for name, practice, status in [
        ("good", {}, 0),
        ("bad", {"fail": {"reason": "trainer_error", "detail": "no"}}, 1),
        ("crash", {"crash_at": 2}, -signal.SIGKILL),
        ("nowhere", {"volume_back": 2}, 74),
    ]:
        run, trainer = runs.start(server, name, **practice)
        assert ended(trainer) == status, name
        assert not locked(run)
    assert server.ready
    assert "Read-only" in run.attempt(1).stderr.read_text()


def test_an_error_of_the_trainer_is_told_as_an_interpreter_would(server: ForkServer, runs: Runs) -> None:
    run, trainer = runs.start(server, steps="many")
    assert ended(trainer) == 1
    assert "Traceback" in run.attempt(1).stderr.read_text()
    assert "TypeError" in run.attempt(1).stderr.read_text()


def test_a_trainer_is_a_process_of_its_own(server: ForkServer, runs: Runs) -> None:
    run, trainer = runs.start(server, **LONG)
    until(lambda: began(run))
    assert os.getpgid(trainer.pid) == trainer.pid
    assert locked(run)
    about = Path(f"/proc/{trainer.pid}")
    words = (about / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    assert words[1:4] == [b"-m", b"trainer", str(run.path).encode()]
    assert (about / "cwd").readlink() == run.path
    # Standard streams, the lock, and the line that its life hangs on; what it opened itself.
    open_files = sorted((about / "fd").iterdir(), key=lambda entry: int(entry.name))
    found = [str(entry.readlink()) for entry in open_files]
    assert found[1:3] == [str(run.attempt(1).stdout), str(run.attempt(1).stderr)]
    assert [name for name in found if name.startswith("socket:")] == []
    assert len([name for name in found if name.startswith("pipe:")]) == 1
    trainer.send_signal(signal.SIGTERM)
    assert ended(trainer) == 75
    assert len(run.published_checkpoints()) == 1


def test_a_trainer_s_number_is_nobody_else_s_until_its_supervisor_is_done(
    server: ForkServer, runs: Runs
) -> None:
    _, trainer = runs.start(server)
    assert ended(trainer) == 0
    assert Path(f"/proc/{trainer.pid}").exists()
    trainer.send_signal(signal.SIGTERM)
    kill_group(trainer.pid)
    assert trainer.poll() == 0
    runs.trainers.pop().close()
    until(lambda: not Path(f"/proc/{trainer.pid}").exists())


def test_a_supervisor_that_lets_go_kills_its_trainer(server: ForkServer, runs: Runs) -> None:
    run, trainer = runs.start(server, deaf=True, **LONG)
    until(lambda: began(run))
    runs.trainers.pop().close()
    until(lambda: not Path(f"/proc/{trainer.pid}").exists())
    assert server.ready


@pytest.mark.parametrize("stopped", [False, True], ids=["", "while the server is stopped"])
def test_a_trainer_dies_with_its_supervisor(server: ForkServer, runs: Runs, stopped: bool) -> None:
    reading, writing = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        run, trainer = runs.start(server, deaf=True, **LONG)
        until(lambda: began(run))
        os.write(writing, str(trainer.pid).encode())
        signal.pause()
        os._exit(1)
    assert select.select([reading], [], [], PATIENCE_SECONDS)[0]
    trainer = int(os.read(reading, 100))
    if stopped:
        server.send_signal(signal.SIGSTOP)
    assert alive(trainer)
    kill(supervisor)
    os.waitpid(supervisor, 0)
    until(lambda: not alive(trainer))
    if stopped:
        server.send_signal(signal.SIGCONT)
    for end in (reading, writing):
        os.close(end)


def test_trainers_die_with_their_server(server: ForkServer, runs: Runs) -> None:
    run, trainer = runs.start(server, deaf=True, **LONG)
    until(lambda: began(run))
    server.send_signal(signal.SIGKILL)
    assert ended(trainer) == -signal.SIGKILL
    assert not alive(trainer.pid)
    assert not locked(run)


def test_a_server_leaves_when_nobody_can_ask_it(program: Program, tmp_path: Path) -> None:
    server = ForkServer(program, tmp_path)
    until(lambda: server.ready)
    # What is meant for a whole group of processes is not for it.
    server.send_signal(signal.SIGTERM)
    server.send_signal(signal.SIGINT)
    time.sleep(0.05)
    assert server.ready
    server._control.close()
    until(lambda: not server.alive)
    assert server.close()


def test_a_server_that_does_not_answer_is_done_away_with(
    server: ForkServer, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_servers, "ANSWER_SECONDS", 0.1)
    server.send_signal(signal.SIGSTOP)
    run, trainer = runs.start(server)
    assert trainer is None
    until(lambda: not server.alive)
    # Nothing that was asked for is done later.
    assert not run.attempt(1).facts.exists()
    assert runs.start(server, "b")[1] is None


def test_servers_are_kept_for_the_programs_that_were_asked_for_last(
    program: Program, runs: Runs, tmp_path: Path
) -> None:
    programs = [Program(program.python, {**program.environment, "N": str(n)}) for n in range(3)]
    with closing(ForkServers(tmp_path)) as servers:
        assert servers.ready(programs[0]) is None
        servers.tend()
        until(lambda: servers.ready(programs[0]))
        first = servers.ready(programs[0])
        servers.ready(programs[1])
        servers.ready(programs[0])
        servers.ready(programs[2])
        servers.tend()
        assert servers.ready(programs[0]) is first
        assert servers.ready(programs[1]) is None
        until(lambda: servers.ready(programs[2]))
        assert first is not None
        # One that dies is replaced.
        first.send_signal(signal.SIGKILL)
        until(lambda: not first.alive)
        assert servers.ready(programs[0]) is None
        servers.tend()
        until(lambda: servers.ready(programs[0]))
        second = servers.ready(programs[0])
        assert second is not None
        run, trainer = runs.start(second)
        assert ended(trainer) == 0
        assert read_json(run.result)["outcome"] == "succeeded"


def test_a_program_that_cannot_be_a_server_is_not_tried_again(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    script = tmp_path / "broken"
    script.write_text(f"#!/bin/sh\necho once >> {attempts}\nexit 1\n")
    script.chmod(0o755)
    broken = Program(str(script), {})
    with closing(ForkServers(tmp_path)) as servers:
        for _ in range(2):
            assert servers.ready(broken) is None
            servers.tend()
            until(attempts.exists)
            time.sleep(0.05)
        servers.tend()
        assert attempts.read_text() == "once\n"


def test_what_has_threads_is_not_forked(program: Program, tmp_path: Path) -> None:
    threaded = Program(program.python, {**program.environment, "PRACTICE_THREAD": "1"})
    server = ForkServer(threaded, tmp_path)
    until(lambda: not server.alive)
    assert not server.close()
