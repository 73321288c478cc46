"""``python -m service.doctor``: what the service needs on this machine, looked at one by one, as JSON.

Nothing is started, and nothing stays behind: a service that runs meanwhile is not disturbed.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from jobs.settings import Settings
from service import valkey
from service.errors import StartError
from service.finding import Finding, missing, ok, warning
from service.processes import free_port

ROOT = Path(__file__).resolve().parents[1]
SETUP = "run scripts/setup"
LITTLE_BYTES = 2_000_000_000
TOO_LITTLE_BYTES = 200_000_000
TRAINER_LIMIT_S = 60


def main() -> int:
    """0 where nothing that the service needs is missing, else 1."""
    found = list(checks())
    print(json.dumps(found, indent=2))
    return 1 if any(finding["state"] == "missing" for finding in found) else 0


def checks() -> Iterator[Finding]:
    """Every check in turn. Without settings there is nothing else to look at."""
    yield ok("python", f"CPython {platform.python_version()} at {sys.executable}")
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "CNTK_JOBS_" + "_".join(str(part) for part in fault["loc"]).upper()
            yield missing(
                "settings", f"{name}: {fault['msg']}", f"change {name}: docs/settings.md lists them all"
            )
        return
    yield ok("settings", f"CNTK_JOBS_HOME is {settings.home}")
    every: list[Callable[[Settings], Iterator[Finding]]] = [trainer, server, volume, port]
    for check in every:
        yield from check(settings)


def trainer(settings: Settings) -> Iterator[Finding]:
    """The other interpreter, CNTK and MPI in it, and what uploaded models are opened behind."""
    path = settings.trainer_env / "trainer.json"
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield missing("interpreter", f"no trainer environment at {settings.trainer_env}: {error}", SETUP)
        return
    yield from _of_the_worker()
    if about["mpi"] == "stub":
        detail = "none: CNTK is given a library that only has to load; a job is one process"
    else:
        detail = f"Open MPI, {about['mpi']}"
    yield ok("mpi", detail)


def _of_the_worker() -> Iterator[Finding]:
    """What only a worker knows: how a trainer is started, and which walls this machine allows."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "worker.doctor"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=TRAINER_LIMIT_S,
        )
        for found in json.loads(done.stdout):
            yield cast(Finding, found)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        said = getattr(error, "stderr", "") or str(error)
        yield missing("cntk", f"the trainer cannot be looked at: {said.strip().splitlines()[-1]}", SETUP)


def server(settings: Settings) -> Iterator[Finding]:
    """Redis: an external one, or the embedded server's binary and, where it runs, the server."""
    try:
        if settings.redis_url:
            yield ok("redis", valkey.check_external(settings.redis_url))
            return
        valkey.check_socket_path(settings.embedded_socket)
        binary = valkey.binary()
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, check=True, timeout=10, env={"LC_ALL": "C"}
        )
    except StartError as error:
        detail, _, cure = error.line.rpartition(": ")
        yield missing("redis", detail, cure)
        return
    except (subprocess.SubprocessError, OSError) as error:
        yield missing("redis", f"the embedded server cannot be run: {error}", SETUP)
        return
    version = next((word[2:] for word in done.stdout.split() if word.startswith("v=")), "of unknown version")
    runs = "runs" if valkey.answers(settings.embedded_socket) else "does not run now"
    yield ok("redis", f"embedded server {version}, {runs}")


def volume(settings: Settings) -> Iterator[Finding]:
    """The folder of everything: writable, with locks that hold, and with room."""
    home = settings.home
    cure = f"make {home} a folder that this user may write to, or name another in CNTK_JOBS_HOME"
    # Looking must not make the folder: the nearest one that is there stands for it.
    present = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=present) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fsync(file.fileno())
        free = shutil.disk_usage(present).free
    except OSError as error:
        yield missing("volume", f"{present}: {error.strerror}", cure)
        return
    yield ok("volume", f"{home} can be written to and locked" if present == home else f"{home} can be made")
    room = f"{free / 1e9:,.1f} GB free"
    if free < LITTLE_BYTES:
        find = missing if free < TOO_LITTLE_BYTES else warning
        yield find("disk", room, f"free some space on the disk of {present}: checkpoints need it")
    else:
        yield ok("disk", room)


def port(settings: Settings) -> Iterator[Finding]:
    """Whether the service could listen, or does."""
    state = settings.home / "service.json"
    try:
        about = json.loads(state.read_text(encoding="utf-8"))
        os.kill(about["pid"], 0)
    except (OSError, ValueError, KeyError):
        about = None
    if about:
        yield ok("port", f"a service runs here, at {about['url']} (pid {about['pid']})")
        return
    try:
        free_port(settings.host, settings.port)
    except StartError as error:
        detail, _, cure = error.line.partition(": ")
        yield missing("port", detail, cure)
    else:
        yield ok("port", f"{settings.host}:{settings.port or 'any'} is free")


if __name__ == "__main__":
    sys.exit(main())
