"""Servers of records that a benchmark has for itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.settings import Settings
from service.valkey import embedded


@contextmanager
def own_server(home: Path) -> Iterator[Settings]:
    """The embedded server of ``home``, which is made where it is missing; its settings."""
    settings = Settings(home=home, redis_url=None)
    home.mkdir(exist_ok=True)
    lock = os.open(home / "lock", os.O_CREAT | os.O_RDWR)
    server = embedded(settings, home / "server.log", lock)
    server.start()
    try:
        while not server.answers():
            time.sleep(0.05)
        yield settings
    finally:
        server.kill()
        os.close(lock)
