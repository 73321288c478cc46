"""Where what users bring is opened: a process that can read little, write to one folder and reach nobody.

Three kinds of walls, the strongest that the machine allows: bubblewrap; namespaces of our own (user, mount,
process, network, IPC, host name); Landlock. In each the program runs under limits of memory, processor time
and file size, without the right to gain rights, and the kernel answers no to calls for sockets
(worker/cell.py).
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker import cell
from worker.processes import kill_group

COMMON = "seccomp+no_new_privs+rlimits"
_GLANCE_SECONDS = 0.05
_PROBE_SECONDS = 20
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache")
"""What any program of this machine needs to start."""
_PROCESSES = 64


@dataclass(frozen=True)
class Limits:
    """What a program may take. More ends it."""

    memory_bytes: int
    seconds: int
    """By the clock; processor time is held to as much."""
    disk_bytes: int
    """All that it writes."""


@dataclass(frozen=True)
class Ending:
    """How the program ended."""

    sandbox: str
    returncode: int
    trouble: str | None
    """Which limit ended it, or the signal it died of, in words; None where it came to its own end."""
    stderr: str
    """The last lines."""


class NoSandboxError(RuntimeError):
    """This machine allows none of the walls: nothing of users' is opened on it."""


def run(
    command: Sequence[str],
    scratch: Path,
    readable: Sequence[Path],
    environment: Mapping[str, str],
    limits: Limits,
    going_on: Callable[[], bool] = lambda: True,
    walls: str | None = None,
) -> Ending:
    """Run ``command`` with ``scratch`` as the only folder that it may write to.

    ``readable``: files and folders that it may read besides the system's programs and libraries.
    ``going_on`` is asked now and then; once it says no, the program is killed. NoSandboxError.
    """
    walls = walls or strongest()
    if walls is None:
        raise NoSandboxError("neither bubblewrap nor namespaces nor Landlock can be used on this machine")
    with tempfile.TemporaryDirectory(prefix="root-") as root, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            _wrapped(walls, command, scratch, readable, environment, limits, root),
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
            env={},
            cwd="/",
            process_group=0,
        )
        try:
            trouble = _wait(process, scratch, limits, going_on)
        finally:
            kill_group(process.pid)
            process.wait()
        stderr.seek(max(0, stderr.tell() - 4000))
        said = stderr.read().decode("utf-8", "replace")
    code = process.returncode
    died = code if code < 0 else 128 - code if code > 128 else 0
    if trouble is None and died:
        trouble = f"it died of {signal.Signals(-died).name}"
    return Ending(f"{walls}+{COMMON}", code, trouble, said)


def _wait(
    process: subprocess.Popen[bytes], scratch: Path, limits: Limits, going_on: Callable[[], bool]
) -> str | None:
    ends_at = time.monotonic() + limits.seconds
    while process.poll() is None:
        if time.monotonic() > ends_at:
            return f"it took more than {limits.seconds} s"
        if _written(scratch) > limits.disk_bytes:
            return f"it wrote more than {limits.disk_bytes:,} bytes"
        if not going_on():
            return "it was stopped"
        time.sleep(_GLANCE_SECONDS)
    return None


def _written(folder: Path) -> int:
    """Bytes on the disk below a folder, which the program may change meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue
    return total


@functools.cache
def strongest() -> str | None:
    """The strongest walls that can be put up on this machine, found by putting them up."""
    return next((walls for walls in ("bubblewrap", "namespaces", "landlock") if works(walls)), None)


def works(walls: str) -> bool:
    """Whether a program starts within these walls."""
    if walls == "bubblewrap" and shutil.which("bwrap") is None:
        return False
    if walls == "landlock" and not cell.landlock_version():
        return False
    limits = Limits(memory_bytes=1 << 32, seconds=_PROBE_SECONDS, disk_bytes=1 << 20)
    true = shutil.which("true") or "/bin/true"
    with tempfile.TemporaryDirectory(prefix="probe-") as scratch:
        return run([true], Path(scratch), [], {}, limits, walls=walls).returncode == 0


def _wrapped(
    walls: str,
    command: Sequence[str],
    scratch: Path,
    readable: Sequence[Path],
    environment: Mapping[str, str],
    limits: Limits,
    root: str,
) -> list[str]:
    # What a link leads to must be there, too.
    asked = dict.fromkeys(name for path in readable for name in (str(path), str(path.resolve())))
    shown = [path for path in [*_SYSTEM, *asked] if os.path.lexists(path)]
    rlimits = {
        "RLIMIT_AS": limits.memory_bytes,
        "RLIMIT_CPU": limits.seconds,
        "RLIMIT_FSIZE": limits.disk_bytes,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 256,
    }
    if walls != "landlock":
        # Counted for each user namespace; elsewhere it would count the user's other processes.
        rlimits["RLIMIT_NPROC"] = _PROCESSES
    plan = {
        "command": list(command),
        "environment": dict(environment),
        "scratch": str(scratch),
        "readable": shown,
        "limits": rlimits,
        "walls": None if walls == "bubblewrap" else walls,
        "root": root,
    }
    program = str(Path(cell.__file__).resolve())
    inner = [sys.executable, "-I", "-S", program, json.dumps(plan)]
    if walls != "bubblewrap":
        return inner
    # The program that gives up the last rights runs within, on this interpreter.
    ours = [sys.prefix, sys.base_prefix, program]
    return [shutil.which("bwrap") or "bwrap", *_bubblewrap([*shown, *ours], str(scratch)), *inner]


def _bubblewrap(shown: Sequence[str], scratch: str) -> list[str]:
    flags = ["--unshare-all", "--die-with-parent", "--new-session", "--dev", "/dev", "--proc", "/proc"]
    for path in shown:
        if os.path.islink(path):
            flags += ["--symlink", os.readlink(path), path]
        else:
            flags += ["--ro-bind", path, path]
    return [*flags, "--bind", scratch, scratch, "--remount-ro", "/"]
