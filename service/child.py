"""One child process: started so that it cannot outlive us, logged to a file, stopped with a grace."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_LIMIT_BYTES = 20_000_000
"""A longer log is set aside as ``<name>.log.1`` when its process starts again."""

_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """A component of the stack.

    ``answers`` says whether the component does its work yet; ``grace`` is in seconds.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        grace: float,
        answers: Callable[[], bool] = lambda: True,
        inherits: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.answers = answers
        self.grace = grace
        self._argv = list(argv)
        self._environment = dict(environment)
        self._log = log
        self._inherits = tuple(inherits)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._log_start = 0

    def start(self) -> None:
        """Start the process. Its own process group keeps a terminal's Ctrl-C with us."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT_BYTES:
            self._log.replace(self._log.with_name(self._log.name + ".1"))
        parent = os.getpid()

        def before_exec() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                pass_fds=self._inherits,
                preexec_fn=before_exec,
            )
        self._started = time.monotonic()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def lived(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started

    def ask_to_stop(self) -> None:
        if self._process and self.alive:
            self._process.terminate()

    def kill(self) -> None:
        if self._process and self.alive:
            self._process.kill()
            self._process.wait()

    def ending(self) -> str:
        """How the process ended, in words."""
        code = self._process.poll() if self._process else None
        if code is None:
            return "is running"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit status {code}"

    def last_words(self, lines: int = 12) -> str:
        """The last lines that this run of the process logged."""
        with self._log.open("rb") as log:
            log.seek(max(self._log_start, self._log.stat().st_size - 8000))
            text = log.read().decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:])
