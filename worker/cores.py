"""The cores that this process may use: of the machine, of its own set of them, of its container's share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from jobs.workers import Machine

BOOT = Path("/proc/sys/kernel/random/boot_id")
OWN = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")


def machine(boot: Path = BOOT) -> Machine | None:
    """What is the same for all who run here; None where the system does not say."""
    try:
        return Machine(id=boot.read_text(encoding="ascii").strip(), cores=os.cpu_count() or 1)
    except OSError:
        return None


def usable(own: Path = OWN, groups: Path = GROUPS) -> int:
    """How many cores this process may keep busy, at least 1.

    ``own`` tells its control groups, of version 1 or 2, ``groups`` is where these are mounted.
    """
    most = [len(os.sched_getaffinity(0)), *(int(quota) for quota in _quotas(own, groups))]
    return max(1, min(most))


def _quotas(own: Path, groups: Path) -> Iterator[float]:
    """Cores that the process' groups, and those around them, may use together."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            yield from _each(groups, name, ("cpu.max",))
        elif "cpu" in controllers.split(","):
            files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            yield from _each(groups / controllers, name, files)
            yield from _each(groups / "cpu", name, files)


def _each(mounted: Path, name: str, files: tuple[str, ...]) -> Iterator[float]:
    """The quotas of a group and of those around it; in a container only what is mounted there can be read."""
    group = mounted / name.lstrip("/")
    for folder in (group, *group.parents):
        if folder.is_relative_to(mounted):
            try:
                words = " ".join((folder / file).read_text(encoding="ascii") for file in files).split()
                quota, period = int(words[0]), int(words[1])
            except (OSError, ValueError, IndexError):
                # None, or "max".
                continue
            if quota > 0 and period > 0:
                yield quota / period
