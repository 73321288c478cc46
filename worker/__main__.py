"""``python -m worker``: takes jobs and supervises their trainers until it is told to stop."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError
from rq.exceptions import StopRequested
from rq.worker import DequeueStrategy

from jobs import ids
from jobs.connection import connect
from jobs.log import bind, set_up
from jobs.settings import AUTO, Settings
from jobs.specs.threads import MOST
from jobs.store import Store
from jobs.workers import WorkerEntry
from worker import attempt, canary, cores, fork_servers, importing
from worker.attempt import Means
from worker.fork_servers import ForkServers
from worker.launch import program, trainer_environment
from worker.tokens import ANSWER_SECONDS, TokenWorker
from worker.upkeep import Upkeep

_RETRY_SECONDS = 1.0

# RQ finds them by name, in each forked process; imported here, they need not be loaded there.
_TASKS = (attempt.run_attempt, importing.run_import)

log = logging.getLogger("worker")


def main() -> int:
    """Work until SIGTERM or SIGINT, then 0. 2, and a line that says why, where it cannot start."""
    set_up("worker", "text")
    for name in ("rq.worker", "rq.job", "rq.registry"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        settings = Settings()
        set_up("worker", settings.log)
        trainer = trainer_environment(settings)
    except ValueError as error:
        log.error("cannot start: %s", error)
        return 2
    except FileNotFoundError as error:
        log.error(
            "cannot start: %s is missing; scripts/setup makes the trainer's environment", error.filename
        )
        return 2
    entry = _entry(trainer, settings)
    bind(worker=entry.name)
    upkeep = Upkeep(settings, entry)
    log.info("%s: %s", entry.name, entry.summary)
    # The numbers of threads that jobs will have which leave it to the service.
    usual = range(1, min(entry.threads, MOST) + 1) if settings.threads == AUTO else [settings.threads]
    # A process that has loaded the driver of a GPU cannot be forked.
    if settings.warm and not trainer["gpu"]:
        fork_servers.of_this_worker = ForkServers(settings.volume.path)
        fork_servers.of_this_worker.ready(program(trainer, usual[0], settings.blocktime_ms))
    attempt.of_this_worker = Means(settings, Store.open(settings))
    upkeep.start()
    sent = canary.send(program(trainer, usual[0]), usual)
    try:
        _work(settings, entry.name, upkeep, fork_servers.of_this_worker)
    finally:
        upkeep.stop()
        if sent:
            sent.kill()
            sent.wait()
        if fork_servers.of_this_worker:
            fork_servers.of_this_worker.close()
    return 0


def _work(settings: Settings, name: str, upkeep: Upkeep, servers: ForkServers | None) -> None:
    """Take tokens until told to stop; through every outage of Redis with a new RQ worker."""
    # What a horse inherits it need not look through, which would copy it.
    gc.collect()
    gc.freeze()
    stop = threading.Event()
    while not stop.is_set():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            worker = TokenWorker(
                name,
                connect(settings.effective_redis_url, answer_timeout=ANSWER_SECONDS, text=False),
                upkeep.between_passes,
                lambda: upkeep.classes,
                upkeep.supervisor_died,
                servers,
            )
            # One class after the other, so that a long queue of one keeps none of the others waiting.
            worker.work(logging_level="ERROR", dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
        except StopRequested:
            return
        except RedisError as error:
            log.warning("Redis cannot be used now (%s); trying again", error)
        else:
            if worker.stopping:
                return
        stop.wait(_RETRY_SECONDS)


def _entry(trainer: dict[str, Any], settings: Settings) -> WorkerEntry:
    return WorkerEntry(
        name=ids.new_id("worker"),
        host=socket.gethostname(),
        pid=os.getpid(),
        labels={
            "cntk": trainer["cntk_version"],
            "python": trainer["python_version"],
            "device": "gpu" if trainer["gpu"] else "cpu",
            "mpi": trainer["mpi"],
            "host": socket.gethostname(),
            **settings.worker_labels,
        },
        trainer=trainer,
        summary=trainer["summary"],
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        threads=max(1, cores.usable() // settings.workers),
        machine=cores.machine(),
    )


if __name__ == "__main__":
    sys.exit(main())
