"""RQ carries tokens: "look at this job". The record is the truth; a token may be lost or doubled.

The only module outside ``worker`` that knows RQ. RQ's own states are never read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.serializers import JSONSerializer

from jobs import ids
from jobs.connection import reaching_redis

QUEUE_NAME = "cntk-jobs"
_ATTEMPT, _IMPORT = "worker.attempt.run_attempt", "worker.importing.run_import"
"""What a token asks a worker for: an attempt at a job, the import of a model."""
_FAILED_TOKEN_SECONDS = 60

logging.getLogger("rq.queue").setLevel(logging.WARNING)


def queue_name(worker_class: str | None) -> str:
    """The queue of a class of jobs: those that any worker can take have the one without a suffix."""
    return f"{QUEUE_NAME}:{worker_class}" if worker_class else QUEUE_NAME


class TokenQueue:
    """The queues that workers take tokens from, one for each class of jobs."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._queues: dict[str | None, Queue] = {}

    def _queue(self, worker_class: str | None) -> Queue:
        # Kept: a new one asks the server for its version before the first token.
        if worker_class not in self._queues:
            name = queue_name(worker_class)
            self._queues[worker_class] = Queue(name, connection=self._client, serializer=JSONSerializer)
        return self._queues[worker_class]

    def push(self, job_id: str, worker_class: str | None = None, pipe: Pipeline | None = None) -> None:
        """Add a token for a job: now, or as the first command of a transaction."""
        self._push(_ATTEMPT, (job_id, worker_class), worker_class, pipe)

    def push_all(self, jobs: Sequence[tuple[str, str | None]], pipe: Pipeline) -> None:
        """Tokens for jobs, each with its class, as the first commands of a transaction."""
        for job_id, worker_class in jobs:
            self.push(job_id, worker_class, pipe)

    def push_import(self, model_id: str, pipe: Pipeline | None = None) -> None:
        """Add a token for a model to import, as ``push`` does for a job."""
        self._push(_IMPORT, (model_id,), None, pipe)

    def _push(
        self, function: str, asked: tuple[str | None, ...], worker_class: str | None, pipe: Pipeline | None
    ) -> None:
        """The token's own id tells when it was made."""
        with reaching_redis():
            self._queue(worker_class).enqueue_call(
                function,
                args=asked,
                job_id=ids.new_id("token"),
                timeout=-1,
                result_ttl=0,
                failure_ttl=_FAILED_TOKEN_SECONDS,
                description=asked[0],
                pipeline=pipe,
            )

    def oldest_ms(self, worker_class: str | None = None) -> int | None:
        """Unix milliseconds at which the token was made that is taken next; None where none waits."""
        with reaching_redis():
            token = self._client.lindex(self._queue(worker_class).key, 0)
        return ids.made_at_ms(str(token)) if token else None
