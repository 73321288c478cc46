"""What a job may take: time, memory, and time without a sign of life."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.record import Record
from jobs.states import Reason
from trainer.layout import AttemptDirectory

_MEMORY_SECONDS = 0.5
"""How often memory is looked at: it means reading a file of each process."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Breach:
    """A limit that was reached."""

    reason: Reason
    detail: str


class Watchdog:
    """Looks at one attempt. ``limits`` is the spec's, ``stall_seconds`` holds where it says nothing."""

    def __init__(
        self, limits: Mapping[str, Any], record: Record, attempt: AttemptDirectory, stall_seconds: float
    ) -> None:
        self._runtime = limits.get("max_runtime_s")
        self._memory = limits.get("memory_bytes")
        self._stall = limits.get("stall_s") or stall_seconds
        self._facts = attempt.facts
        self._spent = (record.starting_ms + record.training_ms - record.forgiven_ms) / 1000
        self._begun = self._alive = time.monotonic()
        self._told = -1
        self._memory_at = 0.0

    def look(self, leader: int) -> Breach | None:
        """The limit that the process group of ``leader`` has reached, if any."""
        now = time.monotonic()
        return self._too_long(now) or self._too_large(now, leader) or self._too_quiet(now)

    def _too_long(self, now: float) -> Breach | None:
        spent = self._spent + now - self._begun
        if self._runtime is None or spent < self._runtime:
            return None
        return Breach(
            Reason.RUNTIME_LIMIT, f"it ran for {spent:.1f} s; limits.max_runtime_s is {self._runtime:g}"
        )

    def _too_large(self, now: float, leader: int) -> Breach | None:
        if self._memory is None or now < self._memory_at:
            return None
        self._memory_at = now + _MEMORY_SECONDS
        held = resident_bytes(leader)
        if held <= self._memory:
            return None
        return Breach(
            Reason.MEMORY_LIMIT, f"it held {held:,} bytes of memory; limits.memory_bytes is {self._memory:,}"
        )

    def _too_quiet(self, now: float) -> Breach | None:
        told = self._facts.stat().st_size if self._facts.exists() else 0
        if told != self._told:
            self._told, self._alive = told, now
        if now - self._alive < self._stall:
            return None
        return Breach(
            Reason.STALLED, f"the trainer gave no sign of life for {self._stall:g} s (limits.stall_s)"
        )


def resident_bytes(leader: int) -> int:
    """Memory that the processes of a group hold. Pages of mapped files, which the system takes back when it
    needs them, do not count: a data set is no memory of the job that reads it. What processes share, as a
    trainer and its copy that saves do, counts once."""
    return sum(_held(pid) for pid in members(leader))


def members(leader: int) -> list[int]:
    """The processes of a group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getpgid(int(entry.name)) == leader:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def _held(pid: int) -> int:
    try:
        parts = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        )
        return int(parts["Pss_Anon"].split()[0]) * 1024
    except (KeyError, PermissionError):
        # Before Linux 5.3, or a process in a sandbox that nobody may look into: shared pages count fully.
        return _resident(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _resident(pid: int) -> int:
    try:
        resident, of_files = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        return (int(resident) - int(of_files)) * _PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0
