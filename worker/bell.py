"""What may wake the supervisor of an attempt: its trainer's end, a stop, a request over Redis."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from types import FrameType
from typing import Protocol

from redis.exceptions import RedisError

from jobs.connection import connect


class Readable(Protocol):
    """What can be read when there is news."""

    def fileno(self) -> int: ...


class Bell:
    """A pipe to sleep on, which signals and threads ring."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self.stop_asked = False
        """SIGTERM has come: the worker is shutting down."""

    def listen_to_signals(self) -> None:
        """Let SIGTERM and the end of a child ring."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_asked = True

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._write, b"!")

    def wait(self, seconds: float, *others: Readable) -> bool:
        """Sleep until rung, or one of ``others`` can be read, at most so long; whether it was woken."""
        mine: list[int | Readable] = [self._read]
        woken = select.select([*mine, *others], [], [], seconds)[0]
        if self._read in woken:
            os.read(self._read, 4096)
        return bool(woken)


def ring_on_message(bell: Bell, url: str, channel: str) -> None:
    """Have a daemon thread ring for each message on a Redis channel.

    Only a wake-up: what is asked for stands in the record, and a lost message costs no more
    than the time to the next beat.
    """

    def listen() -> None:
        while True:
            try:
                with connect(url, answer_timeout=None) as client, client.pubsub() as channel_reader:
                    channel_reader.subscribe(channel)
                    # The first message confirms the subscription: what was asked for before
                    # it is seen by the beat that it causes.
                    for _message in channel_reader.listen():
                        bell.ring()
            except RedisError:
                time.sleep(1)

    threading.Thread(target=listen, name="wake-up", daemon=True).start()
