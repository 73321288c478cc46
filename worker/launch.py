"""Starts a trainer: which interpreter, in what environment, tied to whose life."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from jobs.settings import Settings
from trainer import machine
from trainer.files import read_json
from trainer.layout import AttemptDirectory, DatasetDirectory, RunDirectory
from worker.fork_servers import ForkedTrainer, ForkServers, Program, Request
from worker.processes import die_with_parent, record_process

ROOT = Path(__file__).resolve().parents[1]
TrainerProcess = subprocess.Popen[bytes] | ForkedTrainer
_INHERITED = ("PATH", "HOME", "TMPDIR", "CUDA_VISIBLE_DEVICES", "CNTK_JOBS_KERNELS")


def trainer_environment(settings: Settings) -> dict[str, Any]:
    """trainer.json of the environment that set-up made; FileNotFoundError where there is none."""
    found: dict[str, Any] = read_json(settings.trainer_env / "trainer.json")
    return found


def thread_limits(threads: int, blocktime_ms: int = 0) -> dict[str, str]:
    """Variables that hold CNTK to so many CPU threads, which spin for so long before they sleep.

    OMP_NUM_THREADS alone does not; OMP_THREAD_LIMIT does, but networks with convolutions hang
    under it unless the trainer also tells CNTK the same number (trainer/engine.py).
    """
    return {
        **machine.limits(threads),
        "KMP_BLOCKTIME": str(blocktime_ms),
        "KMP_WARNINGS": "0",
    }


def program(found: dict[str, Any], threads: int, blocktime_ms: int = 0) -> Program:
    """The trainer's interpreter, and the environment that a trainer with such threads is started in."""
    return Program(found["python"], {**_inherited(), **program_environment(found, threads, blocktime_ms)})


def launch(
    run: RunDirectory,
    attempt: AttemptDirectory,
    dataset: DatasetDirectory,
    found: dict[str, Any],
    lock: int,
    servers: ForkServers | None = None,
) -> TrainerProcess:
    """Start the trainer of one attempt, in a process group of its own.

    ``found`` is trainer.json, ``lock`` the descriptor of the run's locked file: the trainer
    inherits it, so the lock is held until the last of its processes is gone. It dies with
    this process. It is forked by one of the ``servers`` where one is ready, with the same
    result. Raises OSError where the interpreter cannot be started.
    """
    training = read_json(run.spec)["training"]
    # Specs of old do not say how long threads spin: they did not.
    wanted = program(found, training["threads"], training.get("blocktime_ms", 0))
    with attempt.stdout.open("ab") as stdout, attempt.stderr.open("ab") as stderr:
        request = Request(run.path, attempt.path.name, dataset.path, lock, stdout, stderr)
        process = (servers and servers.start(wanted, request)) or _start_afresh(wanted, request)
    record_process(attempt.process, process.pid)
    return process


def _start_afresh(wanted: Program, request: Request) -> subprocess.Popen[bytes]:
    parent = os.getpid()
    return subprocess.Popen(
        [
            wanted.python,
            *("-m", "trainer", str(request.run), "--attempt", request.attempt),
            *("--dataset", str(request.dataset)),
        ],
        cwd=request.run,
        env=wanted.environment,
        stdin=subprocess.DEVNULL,
        stdout=request.stdout,
        stderr=request.stderr,
        pass_fds=(request.lock,),
        process_group=0,
        preexec_fn=lambda: die_with_parent(parent),
    )


def _inherited() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def program_environment(found: dict[str, Any], threads: int, blocktime_ms: int = 0) -> dict[str, str]:
    """What a program of ``trainer/`` needs in its environment, and nothing of this process' own.

    CNTK allocates some six hundred small pieces a step: the C library keeps so many of each size at hand.
    """
    return {
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *found["python_path"]]),
        "LD_LIBRARY_PATH": os.pathsep.join(found["library_path"]),
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=127",
        **thread_limits(threads, blocktime_ms),
    }
