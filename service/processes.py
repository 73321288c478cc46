"""The stack: which components there are, in which order they start, heal and stop."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from jobs.access.exposure import refusal_to_bind
from jobs.settings import Settings
from service import valkey
from service.child import Child
from service.errors import StartError
from trainer.files import write_json

ROOT = Path(__file__).resolve().parents[1]
STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
START_LIMIT_S = 120.0
"""How long a component may take to answer; a long append-only file takes its time to load."""
FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 30.0
STEADY_S = 30.0
"""A component that lived this long starts again at the first backoff."""


class StopAsked(KeyboardInterrupt):
    """Ctrl-C, SIGTERM or SIGHUP."""


class Stack:
    """Embedded server, API and workers. Used as a context manager it leaves nothing running."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings.model_copy(update={"home": settings.home.absolute()})
        self._say = say
        self._server: Child | None = None
        self._api: Child | None = None
        self._workers: list[Child] = []
        self._backoff: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._lock: int | None = None

    def __enter__(self) -> Stack:
        # Blocked and waited for, a signal arrives where we look for it and nowhere else.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS | {signal.SIGCHLD})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _children(self) -> list[Child]:
        first = [child for child in (self._server, self._api) if child]
        return first + self._workers

    @property
    def _state_file(self) -> Path:
        return self._settings.home / "service.json"

    def start(self) -> str:
        """Start everything and wait until the API is ready; its URL. StartError or StopAsked."""
        settings = self._settings
        trainer = _trainer_line(settings)
        if refusal := refusal_to_bind(settings):
            raise StartError(refusal)
        port = free_port(settings.host, settings.port)
        lock = self._lock = _claim(settings.home)
        # What a service that was killed left behind would point at processes that are gone.
        self._state_file.unlink(missing_ok=True)
        url = f"http://{_spelled(settings.host)}:{port}"
        environment = dict(os.environ)
        environment["CNTK_JOBS_HOME"] = str(settings.home)
        environment["CNTK_JOBS_PORT"] = str(port)
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(path)
        logs = settings.home / "logs"

        if settings.redis_url:
            self._say(f"server    {valkey.check_external(settings.redis_url)}")
        else:
            self._server = valkey.embedded(settings, logs / "server.log", lock)
            self._bring_up(self._server)
            self._say(f"server    embedded, on {settings.embedded_socket} (pid {self._server.pid})")
        python = sys.executable
        self._api = Child(
            "api",
            [python, "-m", "app"],
            environment,
            logs / "api.log",
            grace=10.0,
            answers=lambda: _ready(f"{url}/readyz"),
        )
        for number in range(1, settings.workers + 1):
            name = f"worker-{number}"
            grace = settings.stop_grace_seconds + 5.0
            worker = Child(name, [python, "-m", "worker"], environment, logs / f"{name}.log", grace=grace)
            self._workers.append(worker)
            worker.start()
        self._bring_up(self._api)
        self._say(f"api       {url} (pid {self._api.pid})")
        for worker in self._workers:
            self._say(f"{worker.name}  {trainer} (pid {worker.pid})")
        self._url = url
        self._write_state()
        return url

    def _bring_up(self, child: Child) -> None:
        child.start()
        deadline = time.monotonic() + START_LIMIT_S
        while not child.answers():
            for each in self._children:
                if each.pid is not None and not each.alive:
                    raise StartError(f"{each.name} {each.ending()} while starting", each.last_words())
            if time.monotonic() > deadline:
                raise StartError(
                    f"{child.name} does not answer after {START_LIMIT_S:.0f} s", child.last_words()
                )
            _wait(0.05)

    def watch(self) -> None:
        """Restart what dies, until StopAsked."""
        while True:
            now = time.monotonic()
            for child in self._children:
                if child.alive:
                    continue
                if child.name not in self._due:
                    self._plan_restart(child, now)
                if self._due[child.name] <= now:
                    del self._due[child.name]
                    child.start()
                    self._say(f"{child.name} started again (pid {child.pid})")
                    self._write_state()
            _wait(max(0.0, min(self._due.values()) - time.monotonic()) if self._due else 60.0)

    def _plan_restart(self, child: Child, now: float) -> None:
        steady = child.lived > STEADY_S
        backoff = FIRST_BACKOFF_S if steady else self._backoff.get(child.name, FIRST_BACKOFF_S)
        self._backoff[child.name] = min(2 * backoff, LONGEST_BACKOFF_S)
        self._due[child.name] = now + backoff
        self._say(f"{child.name} {child.ending()}; starting it again in {backoff:.1f} s")
        for line in child.last_words().splitlines():
            self._say(f"    {line}")

    def stop(self) -> None:
        """Workers first, so that trainers can save; then the API; the server last."""
        for group in (self._workers, [self._api], [self._server]):
            _stop([child for child in group if child and child.alive])
        if self._lock is not None:
            self._state_file.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _write_state(self) -> None:
        """``service.json``: where the service answers and which process is which."""
        processes = {child.name: child.pid for child in self._children}
        write_json(self._state_file, {"pid": os.getpid(), "url": self._url, "processes": processes})


def _wait(seconds: float) -> None:
    """Sleep until a child ends or ``seconds`` have passed; StopAsked on a stop signal."""
    arrived = signal.sigtimedwait(STOP_SIGNALS | {signal.SIGCHLD}, seconds)
    if arrived and arrived.si_signo in STOP_SIGNALS:
        raise StopAsked


def _stop(children: Sequence[Child]) -> None:
    """End ``children`` together: asked first, killed after their grace or on a second signal."""
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + max((child.grace for child in children), default=0.0)
    try:
        while any(child.alive for child in children) and time.monotonic() < deadline:
            _wait(0.1)
    except StopAsked:
        pass
    for child in children:
        child.kill()


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _claim(home: Path) -> int:
    """Take ``home`` for this service; the descriptor returned holds the lock."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "service.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StartError(
            f"a service is already running on CNTK_JOBS_HOME={home}: "
            "stop it first, or give this one another CNTK_JOBS_HOME"
        ) from None
    return descriptor


def _spelled(host: str) -> str:
    """``host`` as a URL that this machine can open spells it."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{local}]" if ":" in local else local


def free_port(host: str, port: int) -> int:
    """``port``, or one that is free where it is 0; StartError where it is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = "is in use: stop what uses it, or choose another in CNTK_JOBS_PORT (0: any free one)"
        else:
            reason = f"cannot be listened on ({error.strerror}): change CNTK_JOBS_HOST or CNTK_JOBS_PORT"
        raise StartError(f"port {port} of {host} {reason}") from None


def _trainer_line(settings: Settings) -> str:
    """What jobs will train on, in one line; StartError where no trainer environment is."""
    path = settings.trainer_env / "trainer.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["summary"])
    except FileNotFoundError:
        raise StartError(
            f"there is no trainer environment at {settings.trainer_env}: run scripts/setup"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StartError(f"{path} cannot be read ({error!r}): run scripts/setup") from None
