"""The RQ worker that takes tokens: fork for each, outlive Redis, leave when asked.

RQ's own idea of a job's state is never used, so its bookkeeping may fail without harm: the
lease and the reconciler recover whatever that leaves behind.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.serializers import JSONSerializer

from jobs.queue import queue_name
from worker.fork_servers import ForkServers
from worker.processes import die_with_parent

ANSWER_SECONDS = 20.0
"""How long a token worker's connection waits for an answer: beyond RQ's own blocking read of 5 s.

RQ would raise a shorter timeout by itself, but on a TCP connection redis-py keeps the first one.
"""
_TTL_SECONDS = 20
_MONITORING_SECONDS = 1


class TokenWorker(Worker):
    """Takes one token at a time and runs its attempt in a forked process (RQ's work horse)."""

    # A Redis that comes back should find its workers soon.
    max_connection_wait_time = 1.0

    def __init__(
        self,
        name: str,
        client: Redis,
        between_passes: threading.Lock,
        classes: Callable[[], Sequence[str | None]] = lambda: [None],
        supervisor_died: Callable[[], None] = lambda: None,
        servers: ForkServers | None = None,
    ) -> None:
        """``between_passes`` is held by the upkeep thread at work: no fork then. ``classes`` tells the
        classes of jobs that this worker can take; ``supervisor_died`` is called when a horse was killed;
        ``servers`` are those of forks that its horses ask."""
        # A worker that lost Redis for a while comes back under its old name.
        client.delete(self.redis_worker_namespace_prefix + name)
        super().__init__(
            [Queue(queue_name(None), connection=client, serializer=JSONSerializer)],
            name=name,
            connection=client,
            serializer=JSONSerializer,
            worker_ttl=_TTL_SECONDS,
            job_monitoring_interval=_MONITORING_SECONDS,
            log_job_description=False,
        )
        self._between_passes = between_passes
        self._classes = classes
        self._supervisor_died = supervisor_died
        self._servers = servers

    @property
    def stopping(self) -> bool:
        return self._stop_requested

    # Leaving

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """SIGTERM, SIGINT: leave now where idle, else once the attempt has saved and ended."""
        self._stop_requested = True
        if self.horse_pid:
            self._pass_stop_on()
        elif self.get_state() != "busy":
            raise StopRequested

    def _install_signal_handlers(self) -> None:
        signal.signal(signal.SIGINT, self.request_stop)
        signal.signal(signal.SIGTERM, self.request_stop)

    def _pass_stop_on(self) -> None:
        self.kill_horse(signal.SIGTERM)

    # The work horse

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        with self._between_passes:
            super().fork_work_horse(job, queue)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        assert self.pid is not None
        die_with_parent(self.pid)
        # They are the worker's to tend.
        self._servers = None
        super().main_work_horse(job, queue)

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Do what the token asks for; whether nothing was raised.

        Of what RQ writes down of a job, only that it was taken is needed, and only until this process ends.
        """
        try:
            if len(self.queues) == 1:
                self.connection.lrem(queue.intermediate_queue_key, 1, job.id)
            job.perform()
            with self.connection.pipeline() as pipe:
                self.cleanup_execution(job, pipeline=pipe, execution=execution)
                pipe.delete(job.key)
                pipe.execute()
        except Exception:
            self._finalize_failure(job, queue, execution, sys.exc_info())
            return False
        return True

    def setup_work_horse_signals(self) -> None:
        # Until the attempt listens; a stop is repeated every second.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def handle_work_horse_killed(self, job: Job, retpid: Any, ret_val: Any, rusage: Any) -> None:
        self._supervisor_died()

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        # Called every second while the horse runs.
        if self._stop_requested:
            self._pass_stop_on()
        self._tend_servers()
        _quietly(lambda: super(TokenWorker, self).maintain_heartbeats(job, execution))

    # Bookkeeping of RQ's that Redis may be away for

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        # Called before each look for a token, every few seconds where none comes.
        self._listen_to(self._classes())
        self._tend_servers()
        _quietly(lambda: super(TokenWorker, self).heartbeat(timeout, pipeline))

    def _tend_servers(self) -> None:
        if self._servers is not None:
            with self._between_passes:
                self._servers.tend()

    def _listen_to(self, classes: Sequence[str | None]) -> None:
        names = [queue_name(found) for found in classes]
        if sorted(names) != sorted(self.queue_names()):
            self.queues = [
                Queue(name, connection=self.connection, serializer=JSONSerializer) for name in names
            ]
            self._ordered_queues = self.queues[:]

    def set_state(self, state: str, pipeline: Any = None) -> None:
        self._state = state
        _quietly(lambda: super(TokenWorker, self).set_state(state, pipeline))

    def run_maintenance_tasks(self) -> None:
        _quietly(super().run_maintenance_tasks)

    def register_death(self) -> None:
        _quietly(super().register_death)

    def check_for_suspension(self, burst: bool) -> None:
        """Workers are stopped, not suspended."""

    def subscribe(self) -> None:
        """RQ's commands over pub/sub are not used: a request to cancel goes to the attempt."""

    def unsubscribe(self) -> None:
        """See ``subscribe``."""


def _quietly(step: Callable[[], None]) -> None:
    try:
        step()
    except RedisError:
        return
