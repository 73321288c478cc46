"""RQ carries tokens: "look at this job". The record is the truth; a token may be lost or doubled.

The only module outside ``worker`` that knows RQ. RQ's own states are never read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from jobs import ids
from jobs.connection import reaching_redis

QUEUE_NAME = "cntk-jobs"
_ATTEMPT, _IMPORT = "worker.attempt.run_attempt", "worker.importing.run_import"
"""What a token asks a worker for: an attempt at a job, the import of a model."""
_FAILED_TOKEN_SECONDS = 60


def queue_name(worker_class: str | None) -> str:
    """The queue of a class of jobs: those that any worker can take have the one without a suffix."""
    return f"{QUEUE_NAME}:{worker_class}" if worker_class else QUEUE_NAME


@dataclass(frozen=True)
class Token:
    """What RQ's ``enqueue_call`` would write to Redis."""

    id: str
    """Tells when the token was made."""
    queue: str
    """The key of the list that ``id`` is appended to."""
    fields: Mapping[str, str]
    """Of the hash of RQ's job."""

    def document(self) -> dict[str, Any]:
        """As ``push`` of the store's scripts wants it."""
        return {"key": self.key, "id": self.id, "queue": self.queue, "fields": self.flat}

    @property
    def key(self) -> str:
        """Of RQ's job."""
        return str(Job.key_for(self.id))

    @property
    def flat(self) -> list[str]:
        """Name after name with its value."""
        return [text for field in self.fields.items() for text in field]


def token_for(job_id: str, worker_class: str | None = None) -> Token:
    """A token for a job of a class."""
    return _token(_ATTEMPT, (job_id, worker_class), worker_class)


def _token(function: str, asked: tuple[str | None, ...], worker_class: str | None) -> Token:
    # As RQ's utcformat, in a tenth of the time.
    made = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return Token(
        ids.new_id("token"),
        _key(worker_class),
        {
            **_alike(function, worker_class),
            "created_at": made,
            "enqueued_at": made,
            # RQ reads it compressed or not.
            "data": json.dumps([function, None, asked, {}]),
            "description": str(asked[0]),
        },
    )


def _key(worker_class: str | None) -> str:
    return f"{Queue.redis_queue_namespace_prefix}{queue_name(worker_class)}"


@lru_cache(maxsize=64)
def _alike(function: str, worker_class: str | None) -> Mapping[str, str]:
    """What RQ writes of every token for this."""
    job = Job.create(
        function,
        timeout=-1,
        result_ttl=0,
        failure_ttl=_FAILED_TOKEN_SECONDS,
        status=JobStatus.QUEUED,
        origin=queue_name(worker_class),
        serializer=JSONSerializer,
        # Asked for, and not used here.
        connection=Redis(),
    )
    fields = job.to_dict() | {"data": ""}
    return {
        name: str(value.value if isinstance(value, JobStatus) else value) for name, value in fields.items()
    }


class TokenQueue:
    """The queues that workers take tokens from, one for each class of jobs."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def push(self, job_id: str, worker_class: str | None = None, pipe: Pipeline | None = None) -> None:
        """Add a token for a job: now, or as the first command of a transaction."""
        self._push(token_for(job_id, worker_class), pipe)

    def push_import(self, model_id: str, pipe: Pipeline | None = None) -> None:
        """Add a token for a model to import, as ``push`` does for a job."""
        self._push(_token(_IMPORT, (model_id,), None), pipe)

    def _push(self, token: Token, pipe: Pipeline | None) -> None:
        if pipe is None:
            with reaching_redis(), self._client.pipeline() as own:
                self._push(token, own)
                own.execute()
            return
        # RQ leaves a transaction that is only watching in the same way.
        pipe.multi()
        pipe.sadd(Queue.redis_queues_keys, token.queue)
        pipe.hset(token.key, items=token.flat)
        pipe.rpush(token.queue, token.id)

    def oldest_ms(self, worker_class: str | None = None) -> int | None:
        """Unix milliseconds at which the token was made that is taken next; None where none waits."""
        with reaching_redis():
            token = self._client.lindex(_key(worker_class), 0)
        return ids.made_at_ms(str(token)) if token else None
