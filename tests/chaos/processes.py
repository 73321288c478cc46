"""The processes of one service as they are seen from outside, by /proc."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from trainer.files import read_json
from trainer.layout import Volume

_SAMPLE_S = 0.01


@dataclass(frozen=True)
class Trainer:
    """One trainer process. ``born``: Unix seconds, of a kernel tick's resolution.

    ``line``: itself, its supervisor, the server that forked it, the worker and so on; what kills one of them
    kills it.
    """

    pid: int
    supervisor: int | None
    born: float
    job: str
    line: frozenset[int]


def _is_alive(process: psutil.Process) -> bool:
    return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Processes:
    """What runs for the service whose home folder is ``home``."""

    def __init__(self, home: Path) -> None:
        self._home = str(home)

    def trainers(self) -> list[Trainer]:
        """The trainers that live at this moment (one that is stopped lives)."""
        return list(self._trainers())

    def _trainers(self) -> Iterator[Trainer]:
        for pid in psutil.pids():
            try:
                # One small read tells most processes apart.
                if (job := self._job(_words(pid))) is not None:
                    process = psutil.Process(pid)
                    # A program that a trainer runs has the trainer's command line until it begins.
                    if _is_alive(process) and self._job(_words(process.ppid())) is None:
                        supervisor = self._supervisor(job, pid)
                        line = frozenset([pid, supervisor or pid, *(p.pid for p in process.parents())])
                        yield Trainer(pid, supervisor, process.create_time(), job, line)
            except (OSError, psutil.NoSuchProcess):
                continue

    def fork_servers(self) -> list[int]:
        """Pids of the processes that trainers are forked from."""
        return [process.pid for process in self.all() if "trainer.fork_server" in process.cmdline()]

    def _supervisor(self, job: str, pid: int) -> int | None:
        """As it was written down; None where it has not been yet."""
        for path in Volume(Path(self._home) / "volume").job(job).attempts.glob("*/process.json"):
            recorded = read_json(path)
            if recorded["pid"] == pid:
                return int(recorded["supervisor"])
        return None

    def _job(self, words: list[str]) -> str | None:
        """The job whose run directory follows ``-m trainer``."""
        if "trainer" not in words:
            return None
        run = words[words.index("trainer") + 1 :][:1]
        return Path(run[0]).name if run and run[0].startswith(self._home + "/") else None

    def all(self) -> list[psutil.Process]:
        """Every living process that was started for this service, its own children included."""
        found = []
        for process in psutil.process_iter():
            try:
                mine = process.environ().get("CNTK_JOBS_HOME") == self._home
                if (
                    mine or any(word.startswith(self._home + "/") for word in process.cmdline())
                ) and _is_alive(process):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found


def _words(pid: int) -> list[str]:
    """The command line of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")


@dataclass
class Sighting:
    """A trainer, and when it was first and last seen alive (seconds of time.time())."""

    trainer: Trainer
    first: float
    last: float


@dataclass
class Watcher:
    """A thread that looks at the trainers a hundred times a second and notes two of one job at once."""

    processes: Processes
    sightings: dict[tuple[int, float], Sighting] = field(default_factory=dict)
    overlaps: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watcher:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self._look()

    def _look(self) -> None:
        by_job: dict[str, list[Trainer]] = {}
        for trainer in self.processes.trainers():
            now = time.time()
            sighting = self.sightings.setdefault((trainer.pid, trainer.born), Sighting(trainer, now, now))
            sighting.last = now
            by_job.setdefault(trainer.job, []).append(trainer)
        for job, trainers in by_job.items():
            # Those found in one look were not read at one instant: only who is alive still counts.
            together = [trainer for trainer in trainers if len(trainers) > 1 and _lives(trainer)]
            if len(together) > 1:
                pids = sorted(trainer.pid for trainer in together)
                self._note(f"{job}: trainers {', '.join(map(str, pids))} lived at the same time")

    def _note(self, overlap: str) -> None:
        if overlap not in self.overlaps:
            self.overlaps.append(overlap)


def _lives(trainer: Trainer) -> bool:
    try:
        process = psutil.Process(trainer.pid)
        return process.create_time() == trainer.born and _is_alive(process)
    except psutil.NoSuchProcess:
        return False
