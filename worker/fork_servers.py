"""Servers of forks (trainer/fork_server.py): kept by a worker, asked by its horses for trainers.

A trainer that is forked starts in the time of a fork; one that is started afresh loads CNTK first. What
such a library reads from its environment it reads once, so there is a server for each environment, up to a
few. Whatever is odd about a server, the trainer is started afresh.
"""

from __future__ import annotations

import array
import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST = 2
"""Servers that a worker keeps at most, each for an environment asked for of late."""
ANSWER_SECONDS = 5.0
"""How long a server may take to fork. A fork takes milliseconds."""
_MOST_BYTES = 1 << 16
_ROOM = "." * 400
"""At the end of a server's command line: a trainer shows its own in the same place."""

log = logging.getLogger("worker")


@dataclass(frozen=True)
class Program:
    """An interpreter and the environment that it is started in."""

    python: str
    environment: Mapping[str, str]

    def text(self) -> str:
        return json.dumps([self.python, dict(sorted(self.environment.items()))])

    @classmethod
    def of(cls, text: str) -> Program:
        return cls(*json.loads(text))


@dataclass(frozen=True)
class Request:
    """A trainer that is wanted."""

    run: Path
    attempt: str
    dataset: Path
    lock: int
    """Descriptor of the run's locked file."""
    stdout: IO[bytes]
    stderr: IO[bytes]

    def message(self) -> bytes:
        asked = {"run": str(self.run), "attempt": self.attempt, "dataset": str(self.dataset)}
        return json.dumps(asked).encode()


class ForkedTrainer:
    """A trainer that a server has forked, as its supervisor sees it.

    Its process number is nobody else's for as long as this lives. It is killed when the supervisor dies.
    """

    def __init__(self, pid: int, answers: socket.socket, line: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._handle = os.pidfd_open(pid)
        self._answers = answers
        self._line = line

    def fileno(self) -> int:
        """Readable when there is news for ``poll``."""
        return self._answers.fileno()

    def poll(self) -> int | None:
        """How it ended, negative for a signal; None while it lives."""
        if self.returncode is None and _readable(self._answers):
            told = self._answers.recv(4096)
            if told:
                self.returncode = int(json.loads(told)["status"])
            elif _readable(self._handle):
                # The server has died, and its trainers with it.
                self.returncode = -signal.SIGKILL
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def close(self) -> None:
        """Let go of it: it is killed unless it has ended, and its number is free."""
        os.close(self._line)
        os.close(self._handle)
        self._answers.close()


class ForkServer:
    """One server: started by the worker, asked by the processes that the worker forks."""

    def __init__(self, program: Program, volume: Path) -> None:
        """``volume`` is there to be seen: it tells the servers of several services apart."""
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ready, ready = os.pipe()
        own = [str(control.fileno()), str(ready), str(os.getpid()), str(volume), _ROOM]
        self._process = subprocess.Popen(
            [program.python, "-m", "trainer.fork_server", *own],
            # Else each fork would look up anew what CNTK calls for the first time in it.
            env={**program.environment, "LD_BIND_NOW": "1"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            pass_fds=(control.fileno(), ready),
            process_group=0,
        )
        self._handle = os.pidfd_open(self._process.pid)
        control.close()
        os.close(ready)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not _readable(self._handle)

    @property
    def ready(self) -> bool:
        """Whether it has loaded everything, and lives."""
        return self.alive and _readable(self._ready)

    def start(self, request: Request) -> ForkedTrainer | None:
        """The trainer, or None where the server does not do as it should: then it is gone."""
        answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Whoever has ``line`` closes it, or dies, and the kernel kills the trainer.
        end_of_line, line = os.pipe()
        given = [theirs.fileno(), end_of_line, request.lock, request.stdout.fileno(), request.stderr.fileno()]
        try:
            for side in (self._control, answers):
                side.settimeout(ANSWER_SECONDS)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", given))
            self._control.sendmsg([request.message()], [rights])
            theirs.close()
            return ForkedTrainer(int(json.loads(answers.recv(_MOST_BYTES))["pid"]), answers, line)
        except (OSError, ValueError) as error:
            log.warning("no trainer could be forked (%s): it is started afresh", error)
            self.send_signal(signal.SIGKILL)
            answers.close()
            os.close(line)
            return None
        finally:
            theirs.close()
            os.close(end_of_line)

    def send_signal(self, number: signal.Signals) -> None:
        """SIGKILL puts an end to its trainers as well. Nothing where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def close(self) -> bool:
        """Have it gone, for the worker that started it; whether it had ever been ready."""
        self.send_signal(signal.SIGKILL)
        self._process.wait()
        was_ready = os.read(self._ready, 1) != b""
        self._control.close()
        for descriptor in (self._ready, self._handle):
            os.close(descriptor)
        return was_ready


class ForkServers:
    """The servers of one worker. Its horses have a copy each, which they ask and never change."""

    def __init__(self, volume: Path) -> None:
        self._volume = volume
        self._servers: dict[str, ForkServer] = {}
        """By program, the one that was asked for last at the end."""
        self._useless: set[str] = set()
        """Programs whose server did not come up: they are not tried again."""
        self._wishes, self._wish = os.pipe()
        for end in (self._wishes, self._wish):
            os.set_blocking(end, False)

    def ready(self, program: Program) -> ForkServer | None:
        """The server for this program; where there is none yet, ``tend`` will start it."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wish, program.text().encode() + b"\n")
        server = self._servers.get(program.text())
        return server if server is not None and server.ready else None

    def start(self, program: Program, request: Request) -> ForkedTrainer | None:
        """A forked trainer; None where no server for this program is ready."""
        server = self.ready(program)
        return server.start(request) if server is not None else None

    def tend(self) -> None:
        """Start the servers that were asked for and let go of those that were not of late; by the main
        thread of the worker, which they live no longer than."""
        for text in self._asked():
            if text in self._useless:
                continue
            server = self._servers.pop(text) if text in self._servers else self._started(text)
            self._servers[text] = server
        for text, server in list(self._servers.items()):
            if not server.alive:
                del self._servers[text]
                if server.close():
                    self._servers[text] = self._started(text)
                else:
                    log.warning("trainers are started afresh: no server of forks could be started")
                    self._useless.add(text)
        while len(self._servers) > MOST:
            self._servers.pop(next(iter(self._servers))).close()

    def _started(self, text: str) -> ForkServer:
        return ForkServer(Program.of(text), self._volume)

    def _asked(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._wishes, _MOST_BYTES).decode().splitlines()
        return []

    def close(self) -> None:
        """Let go of all of them."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()


of_this_worker: ForkServers | None = None
"""Those that the worker keeps, as its horses find them; None where it keeps none."""


def _readable(descriptor: int | socket.socket) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])
