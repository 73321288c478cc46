"""The jobs that wait: whose turn it is, what has waited long enough, whose token or worker was lost."""

from __future__ import annotations

import json
from typing import cast

from jobs.connection import reaching_redis
from jobs.record import Record
from jobs.scripts import Scripts

IMPORTS = "cj:imports"
"""Index of the models to be imported, by the time of their token or of their worker's last beat."""


class Backlog(Scripts):
    """What workers choose from and the reconciler looks after."""

    def ready(self, worker_class: str | None, limit: int = 20) -> list[str]:
        """The jobs of a class that wait for a worker, in the order of their turns."""
        with reaching_redis():
            return cast(list[str], self.client.zrange(of_class("cj:ready", worker_class), 0, limit - 1))

    def worker_classes(self) -> dict[str, dict[str, list[str]]]:
        """What each class of jobs requires of a worker."""
        with reaching_redis():
            found = cast(dict[str, str], self.client.hgetall("cj:classes"))
        return {name: json.loads(text) for name, text in found.items()}

    def expired_leases(self) -> list[Record]:
        """Running jobs whose lease has run out."""
        now = self.now_ms()
        with reaching_redis():
            return self.many(cast(list[str], self.client.zrangebyscore("cj:leases", "-inf", now)))

    def clamp(self, lease_seconds: float, delay_seconds: float) -> None:
        """Bring leases, delays and times of tokens within reach that a clock set back has left far ahead.

        A lease that is still renewed loses nothing, one that is not runs out within its time.
        """
        waiting = [of_class("cj:waiting", worker_class) for worker_class in (None, *self.worker_classes())]
        furthest = {"cj:leases": round(lease_seconds * 1000), "cj:delayed": round(delay_seconds * 1000)}
        with reaching_redis():
            self.run("clamp", {"furthest": furthest | dict.fromkeys([*waiting, IMPORTS], 0)})

    def waiting_since_before(self, moment_ms: int, worker_class: str | None = None) -> list[tuple[str, int]]:
        """Queued jobs of a class whose token was made before a moment, each with that time in ms."""
        return self._since_before(of_class("cj:waiting", worker_class), moment_ms)

    def imports_since_before(self, moment_ms: int) -> list[tuple[str, int]]:
        """Models to import whose token was made before a moment, each with that time in ms."""
        return self._since_before(IMPORTS, moment_ms)

    def _since_before(self, index: str, moment_ms: int) -> list[tuple[str, int]]:
        with reaching_redis():
            found = self.client.zrangebyscore(index, "-inf", f"({moment_ms}", withscores=True)
        return [(waiting, int(score)) for waiting, score in cast(list[tuple[str, float]], found)]

    def note_new_token(self, waiting: str, seen_ms: int, index: str | None = None) -> bool:
        """Whether the caller is the one to give what waits its new token: a job, or a model in ``index``."""
        ask = {"id": waiting, "seen_ms": seen_ms} | ({"index": index} if index else {})
        with reaching_redis():
            return bool(self.run("retoken", ask))

    def settle_dependencies(self) -> list[str]:
        """Let go, or fail, the jobs that waited for one that has ended; those that need a token now."""
        freed = []
        with reaching_redis():
            for dependency in sorted(cast(set[str], self.client.smembers("cj:settled"))):
                waiting = sorted(cast(set[str], self.client.smembers(f"cj:after:{dependency}")))
                freed += [job for job in waiting if self.run("after", {"id": job, "dep": dependency})]
                if not waiting:
                    self.client.srem("cj:settled", dependency)
        return freed

    def due(self) -> list[str]:
        """Queued jobs that have waited long enough for their next attempt, and have no token."""
        now = self.now_ms()
        with reaching_redis():
            return cast(list[str], self.client.zrangebyscore("cj:delayed", "-inf", now))

    def fail_overdue(self) -> list[Record]:
        """Fail the queued jobs that have waited for longer than they may; those that this call failed."""
        now = self.now_ms()
        with reaching_redis():
            late = cast(list[str], self.client.zrangebyscore("cj:overdue", "-inf", now))
        return [record for job_id in late if (record := self.change("overdue", id=job_id))]

    def note_due(self, job_id: str) -> bool:
        """Let a job that has waited be claimed; whether the caller is the one to give it a token."""
        with reaching_redis():
            return bool(self.run("due", {"id": job_id}))


def of_class(name: str, worker_class: str | None) -> str:
    """The index of that name for the jobs of one class."""
    return f"{name}:{worker_class}" if worker_class else name
