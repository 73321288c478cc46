"""Processes and their groups: tie a child's life to its parent's, recognise one again, kill it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path
from typing import Any

from trainer.files import read_json, write_json

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: the dynamic loader is not to be called between fork and exec.
_libc = ctypes.CDLL(None)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when ``parent`` dies. Grandchildren do not inherit it."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def kill_group(leader: int) -> None:
    """SIGKILL to a process group; nothing where it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def record_process(path: Path, pid: int) -> None:
    """Write down which process leads a group, so that it is known for sure later, and that this one
    supervises it."""
    # After a power cut there are no such processes.
    write_json(path, {"pid": pid, "identity": _identity(pid), "supervisor": os.getpid()}, durable=False)


def kill_recorded(path: Path) -> None:
    """Kill the group that ``record_process`` wrote down, if its leader is still the same process."""
    try:
        recorded: dict[str, Any] = read_json(path)
    except (FileNotFoundError, ValueError):
        # One that a power cut left empty tells of a process that is gone.
        return
    if recorded["identity"] is not None and _identity(recorded["pid"]) == recorded["identity"]:
        kill_group(recorded["pid"])


def _identity(pid: int) -> str | None:
    """What tells a process from a later one with its number: boot, and start in clock ticks."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold spaces; the start time is field 22.
    ticks = stat.rpartition(")")[2].split()[19]
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + "/" + ticks
