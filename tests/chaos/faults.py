"""What is done to a running service: each fault finds its victim, strikes, and says whom it struck."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis

from tests.chaos.other_api import OtherApi
from tests.chaos.processes import Processes, Trainer
from tests.chaos.surroundings import Clock, Disk
from tests.running_service import RunningService

RESTART_LIMIT_S = 60.0


@dataclass
class Victim:
    """The service that faults strike; it may be another process after some of them."""

    home: Path
    environment: dict[str, str]
    dice: random.Random
    away_s: float = 30.0
    """How long Redis is gone where it is gone for long."""
    service: RunningService = field(init=False)
    other_api: OtherApi = field(init=False)
    """A second API process beside the service's own."""
    dice_of_customers: random.Random = field(default_factory=random.Random)
    """Customers come from many threads' timing; what they draw must not move the faults' sequence."""
    passing: list[threading.Timer] = field(default_factory=list)
    """What ends a fault that passes by itself."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.processes = Processes(self.home)
        self.disk = Disk.mounted(self.home / "volume")
        self.clock = Clock.installed(self.home / "clock")
        self.disk_lock = threading.Lock()
        try:
            self.service = self.start()
        except BaseException:
            self._leave_disk()
            raise

    def start(self) -> RunningService:
        environment = {**(self.clock.environment() if self.clock else {}), **self.environment}
        self.service = RunningService(self.home, **environment).wait_ready()
        self.other_api = OtherApi(self.home, self.environment)
        return self.service

    def url(self) -> str:
        """One of the two APIs."""
        return self.dice_of_customers.choice([self.service.url, self.other_api.url])

    def component(self, name: str) -> int | None:
        """The process of a component, None where it is being started again."""
        try:
            pid = self.service.pid(name)
        except (FileNotFoundError, KeyError):
            return None
        return pid if psutil.pid_exists(pid) else None

    def a_worker(self) -> int | None:
        return self.component(f"worker-{self.dice.randint(1, int(self.environment['CNTK_JOBS_WORKERS']))}")

    def _a_trainer(self) -> Trainer | None:
        """A trainer that lives, each as likely as the other."""
        trainers = sorted(self.processes.trainers(), key=lambda trainer: trainer.job)
        return self.dice.choice(trainers) if trainers else None

    def a_trainer(self) -> int | None:
        trainer = self._a_trainer()
        return trainer.pid if trainer else None

    def a_horse(self) -> int | None:
        """The process that supervises a trainer."""
        trainer = self._a_trainer()
        return trainer.supervisor if trainer else None

    def a_fork_server(self) -> int | None:
        """The process that trainers of one worker are forked from."""
        servers = self.processes.fork_servers()
        return self.dice.choice(servers) if servers else None

    def pause(self, pid: int, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after so many seconds (nothing where the process was killed meanwhile)."""
        os.kill(pid, signal.SIGSTOP)
        born = psutil.Process(pid).create_time()

        def wake() -> None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.create_time() == born:
                    process.resume()

        self.after(seconds, wake)

    def after(self, seconds: float, step: Callable[[], None]) -> None:
        """Do ``step`` so many seconds from now."""
        timer = threading.Timer(seconds, step)
        timer.start()
        self.passing.append(timer)

    def settle(self) -> None:
        """Wait until every fault has passed."""
        for timer in self.passing:
            timer.join()

    def close(self) -> None:
        """End the service, and what it stood on."""
        self.settle()
        self.other_api.stop()
        self.service.stop()
        self._leave_disk()

    def _leave_disk(self) -> None:
        if self.disk:
            self.disk.unmount()


def _signal(pid: int | None, number: signal.Signals) -> int | None:
    if pid is None:
        return None
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return None
    return pid


def _pause(victim: Victim, pid: int | None, seconds: float) -> int | None:
    if pid is None:
        return None
    try:
        victim.pause(pid, seconds)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None
    return pid


def kill_trainer(victim: Victim) -> int | None:
    return _signal(victim.a_trainer(), signal.SIGKILL)


def kill_horse(victim: Victim) -> int | None:
    return _signal(victim.a_horse(), signal.SIGKILL)


def kill_fork_server(victim: Victim) -> int | None:
    return _signal(victim.a_fork_server(), signal.SIGKILL)


def stop_fork_server(victim: Victim) -> int | None:
    """At times for longer than a supervisor waits for a trainer."""
    return _pause(victim, victim.a_fork_server(), victim.dice.uniform(0.5, 7.0))


def kill_worker(victim: Victim) -> int | None:
    return _signal(victim.a_worker(), signal.SIGKILL)


def kill_api(victim: Victim) -> int | None:
    return _signal(victim.component("api"), signal.SIGKILL)


def kill_other_api(victim: Victim) -> int | None:
    pid = victim.other_api.kill()
    victim.other_api = OtherApi(victim.home, victim.environment)
    return pid


def kill_server(victim: Victim) -> int | None:
    return _signal(victim.component("server"), signal.SIGKILL)


def empty_server(victim: Victim) -> int | None:
    """Redis comes back without anything: what was acknowledged is on the volume alone."""
    pid = victim.component("server")
    if pid is None:
        return None
    socket = victim.home / "valkey" / "valkey.sock"
    try:
        with redis.Redis(unix_socket_path=str(socket), socket_timeout=5) as client:
            client.flushall()
    except redis.RedisError:
        return None
    return _signal(pid, signal.SIGKILL)


def kill_everything(victim: Victim) -> int | None:
    """The supervisor and all its processes at once, as a power cut would; then the service is started."""
    old = victim.service.process.pid
    for process in victim.processes.all():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    victim.service.process.wait(RESTART_LIMIT_S)
    victim.other_api.kill()
    victim.start()
    return old


def stop_trainer(victim: Victim) -> int | None:
    return _pause(victim, victim.a_trainer(), victim.dice.uniform(0.2, 3.0))


def stop_horse(victim: Victim) -> int | None:
    """For longer than its lease: another worker takes the job, and this one must notice."""
    lease = float(victim.environment["CNTK_JOBS_LEASE_SECONDS"])
    return _pause(victim, victim.a_horse(), lease + victim.dice.uniform(0.5, 3.0))


def stop_worker(victim: Victim) -> int | None:
    return _pause(victim, victim.a_worker(), victim.dice.uniform(0.5, 6.0))


def stop_server(victim: Victim) -> int | None:
    """Redis does not answer for a while, at times for longer than a lease."""
    return _pause(victim, victim.component("server"), victim.dice.choice([0.5, 1.0, 3.0, 8.0]))


def stop_api(victim: Victim) -> int | None:
    return _pause(victim, victim.component("api"), victim.dice.uniform(0.2, 3.0))


def keep_server_away(victim: Victim) -> int | None:
    return _pause(victim, victim.component("server"), victim.away_s)


def _spoil(victim: Victim, spoiled: Callable[[Disk], AbstractContextManager[None]]) -> int | None:
    """The volume is of no use for a while; one fault of it at a time."""
    if victim.disk is None or not victim.disk_lock.acquire(blocking=False):
        return None
    fault = spoiled(victim.disk)
    fault.__enter__()

    def mend() -> None:
        fault.__exit__(None, None, None)
        victim.disk_lock.release()

    victim.after(victim.dice.uniform(0.3, 6.0), mend)
    return victim.service.process.pid


def fill_volume(victim: Victim) -> int | None:
    return _spoil(victim, Disk.full)


def protect_volume(victim: Victim) -> int | None:
    return _spoil(victim, Disk.read_only)


def take_volume_away(victim: Victim) -> int | None:
    return _spoil(victim, Disk.away)


def set_clock(victim: Victim) -> int | None:
    """The clock jumps by an hour or two, ahead or back, and stays there."""
    if victim.clock is None:
        return None
    others = [offset for offset in (-3600, 0, 3600) if offset != victim.clock.offset_s]
    victim.clock.jump_to(victim.dice.choice(others))
    return victim.service.process.pid


def ask_trainer_to_leave(victim: Victim) -> int | None:
    return _signal(victim.a_trainer(), signal.SIGTERM)


def ask_worker_to_leave(victim: Victim) -> int | None:
    """As when a new version is rolled out."""
    return _signal(victim.a_worker(), signal.SIGTERM)


def restart_service(victim: Victim) -> int | None:
    """SIGTERM for all of it, and a new one as soon as it is gone."""
    old = victim.service.process.pid
    victim.other_api.stop()
    victim.service.process.terminate()
    victim.service.process.wait(RESTART_LIMIT_S)
    victim.start()
    return old


@dataclass(frozen=True)
class Kind:
    """``weight``: how often it is drawn beside the others. ``takes_trainers``: those below the victim end."""

    name: str
    strike: Callable[[Victim], int | None]
    weight: float
    takes_trainers: bool = False
    possible: Callable[[Victim], bool] = lambda _: True
    """Whether this machine and this user can bring it about."""


def _has_disk(victim: Victim) -> bool:
    return victim.disk is not None


def _has_clock(victim: Victim) -> bool:
    return victim.clock is not None


KINDS = (
    Kind("trainer killed", kill_trainer, 4, takes_trainers=True),
    Kind("horse killed", kill_horse, 3, takes_trainers=True),
    Kind("fork server killed", kill_fork_server, 2, takes_trainers=True),
    Kind("fork server stopped", stop_fork_server, 1),
    Kind("worker killed", kill_worker, 3, takes_trainers=True),
    Kind("api killed", kill_api, 2),
    Kind("other api killed", kill_other_api, 1),
    Kind("server killed", kill_server, 2),
    Kind("server emptied", empty_server, 1),
    Kind("everything killed", kill_everything, 1, takes_trainers=True),
    Kind("trainer stopped", stop_trainer, 2),
    Kind("horse stopped", stop_horse, 2),
    Kind("worker stopped", stop_worker, 1),
    Kind("server stopped", stop_server, 2),
    Kind("api stopped", stop_api, 1),
    Kind("server away", keep_server_away, 0.15),
    Kind("volume full", fill_volume, 1, possible=_has_disk),
    Kind("volume read-only", protect_volume, 1, possible=_has_disk),
    Kind("volume away", take_volume_away, 1, possible=_has_disk),
    Kind("clock set", set_clock, 1, possible=_has_clock),
    Kind("trainer told to leave", ask_trainer_to_leave, 2),
    Kind("worker told to leave", ask_worker_to_leave, 2, takes_trainers=True),
    Kind("service restarted", restart_service, 1, takes_trainers=True),
)


@dataclass(frozen=True)
class Strike:
    """A fault that found its victim. ``trainers``: those alive just before."""

    kind: str
    at: float
    pid: int
    trainers: list[Trainer]


def strike(kind: Kind, victim: Victim) -> Strike | None:
    """Do it; None where there is nothing to do it to at this moment."""
    before = victim.processes.trainers()
    at = time.time()
    pid = kind.strike(victim)
    return None if pid is None else Strike(kind.name, at, pid, before)
