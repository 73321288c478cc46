"""RQ carries tokens: "look at this job". The record is the truth; a token may be lost or doubled.

The only module outside ``worker`` that knows RQ. RQ's own states are never read.
"""

from __future__ import annotations

import logging

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.serializers import JSONSerializer

from jobs import ids
from jobs.connection import reaching_redis

QUEUE_NAME = "cntk-jobs"
ATTEMPT, IMPORT = "worker.attempt.run_attempt", "worker.importing.run_import"
"""What a token asks a worker for: an attempt at a job, the import of a model."""
_FAILED_TOKEN_SECONDS = 60

logging.getLogger("rq.queue").setLevel(logging.WARNING)


class TokenQueue:
    """The queue that workers take tokens from."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._queue = Queue(QUEUE_NAME, connection=client, serializer=JSONSerializer)

    def push(self, job_id: str, pipe: Pipeline | None = None, task: str = ATTEMPT) -> None:
        """Add a token for a job (or a model): now, or as the first command of a transaction.

        The token's own id tells when it was made.
        """
        with reaching_redis():
            self._queue.enqueue_call(
                task,
                args=(job_id,),
                job_id=ids.new_id("token"),
                timeout=-1,
                result_ttl=0,
                failure_ttl=_FAILED_TOKEN_SECONDS,
                description=job_id,
                pipeline=pipe,
            )

    def oldest_ms(self) -> int | None:
        """Unix milliseconds at which the token was made that is taken next; None where none waits."""
        with reaching_redis():
            token = self._client.lindex(self._queue.key, 0)
        return ids.made_at_ms(str(token)) if token else None
