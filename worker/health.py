"""``python -m worker.health``: whether this host's worker was heard of lately (a health check)."""

from __future__ import annotations

import socket
import sys

from jobs.errors import Unavailable
from jobs.settings import Settings
from jobs.store import Store
from jobs.workers import list_workers


def main() -> int:
    """0 where a worker of this host has a live entry, else 1."""
    try:
        workers = list_workers(Store.open(Settings()))
    except Unavailable as error:
        print(error.detail, file=sys.stderr)
        return 1
    host = socket.gethostname()
    if any(worker.host == host for worker in workers):
        return 0
    print(f"no worker of {host} was heard of lately", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
