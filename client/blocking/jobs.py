# Made from client/aio/jobs.py by scripts/blocking-client: change that one.
"""``/v1/jobs``: submitting, finding, steering and following jobs."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx

from client.blocking.connection import Connection
from client.blocking.handle import JobHandle
from client.documents import TERMINAL, Checkpoint, Descent, File, Job, Log, LogPiece
from client.events import Event
from client.problems import JobsApiError

ALL_LINES = 100_000
"""As many of a log as the service reads back."""
PATIENCE_S = 60.0
"""How long following a job bears with a service that does not answer."""

WAIT_S = 30.0
"""How long one request waits for news; proxies break off what is silent for a minute."""


class Jobs:
    """``/v1/jobs``. A job is named by its id; what answers with a job answers with a handle of it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _handle(self, document: Any) -> JobHandle:
        return JobHandle(self, cast(Job, document))

    def submit(self, spec: Mapping[str, Any], *, key: str | None = None) -> JobHandle:
        """Create a job; it is queued when this returns.

        ``key``: an Idempotency-Key that outlives this program. One is made for every call otherwise.
        """
        return self._handle(self._connection.json("POST", "/v1/jobs", json=spec, keyed=key or True))

    def submit_all(
        self, specs: Sequence[Mapping[str, Any]], *, key: str | None = None
    ) -> builtins.list[JobHandle]:
        """Create several jobs, all of them or none; ``key`` as for ``submit``."""
        asked = {"jobs": [dict(spec) for spec in specs]}
        made = self._connection.json("POST", "/v1/jobs/batch", json=asked, keyed=key or True)
        return [self._handle(job) for job in made["items"]]

    def validate(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The spec with every default filled in and what it would take; creates nothing."""
        query = {"validate_only": "true"}
        answer = self._connection.json("POST", "/v1/jobs", params=query, json=spec, repeatable=True)
        return cast(dict[str, Any], answer)

    def get(self, job: str) -> JobHandle:
        return self._handle(self._connection.json("GET", f"/v1/jobs/{job}"))

    def list(self, limit: int | None = None, **filters: Any) -> builtins.list[JobHandle]:
        """Newest first unless ``order_by`` says otherwise; without their specs.

        ``filters`` as docs/api.md has them: status, kind, tag, owner, recipe, dataset, parent, name,
        created_after, created_before, where, order_by. A list of values is sent as the parameter repeated.
        """
        size = min(limit, 100) if limit else None
        found = self._connection.items("/v1/jobs", limit, **filters, page_size=size)
        return [self._handle(document) for document in found]

    def fork(self, job: str, patch: Mapping[str, Any] | None = None, *, key: str | None = None) -> JobHandle:
        """A new job with another's spec and ``patch``, a JSON merge patch, applied to it."""
        path = f"/v1/jobs/{job}/fork"
        return self._handle(self._connection.json("POST", path, json=dict(patch or {}), keyed=key or True))

    def edit(self, job: str, *, etag: str | None = None, **changes: Any) -> JobHandle:
        """Change a job's ``name``, ``tags`` or ``priority``.

        With ``etag`` only while the job is still the one that was read: else a JobsApiError of status 412.
        """
        headers = {"If-Match": etag} if etag else None
        answer = self._connection.json("PATCH", f"/v1/jobs/{job}", json=changes, headers=headers)
        return self._handle(answer)

    def evaluate(
        self,
        job: str,
        *,
        dataset: str | None = None,
        split: str | None = None,
        checkpoint: str | int = "latest",
        name: str = "",
    ) -> JobHandle:
        """Run a checkpoint of a job on a data set (default: its own), as a job that is queued.

        Without ``split`` the test split is taken, else valid, else train.
        """
        asked = {"dataset": dataset, "split": split, "checkpoint": checkpoint, "name": name}
        path = f"/v1/jobs/{job}/evaluate"
        return self._handle(self._connection.json("POST", path, json=asked, keyed=True))

    def cancel(self, job: str, *, save: bool = False) -> JobHandle:
        """End a job: at once, or with ``save`` after a last checkpoint."""
        return self._steer(job, "cancel", params={"checkpoint": "save"} if save else {})

    def cancel_all(self, *, preview: bool = False, save: bool = False, **filters: Any) -> dict[str, Any]:
        """Cancel every job that ``filters`` match, as ``list`` has them: how many, and which.

        With ``save`` after a last checkpoint; with ``preview`` nothing is cancelled.
        """
        asked = {"preview": preview} | {name: value for name, value in filters.items() if value}
        if save:
            asked["checkpoint"] = "save"
        jobs: dict[str, None] = {}
        while True:
            found = self._connection.json("POST", "/v1/jobs/cancel", json=asked, repeatable=True)
            if preview:
                return cast(dict[str, Any], found)
            news = dict.fromkeys(found["jobs"]).keys() - jobs
            jobs |= dict.fromkeys(found["jobs"])
            # Of very many the service cancels some at a time; one that is saving still matches.
            if not (found["more"] and news):
                return {**found, "matched": len(jobs), "jobs": list(jobs)}

    def pause(self, job: str) -> JobHandle:
        """Have a job save a checkpoint and free its worker until it is resumed."""
        return self._steer(job, "pause")

    def resume(self, job: str) -> JobHandle:
        """Let a paused job go on exactly where it was."""
        return self._steer(job, "resume")

    def _steer(self, job: str, action: str, **options: Any) -> JobHandle:
        # Asking twice is asking once.
        path = f"/v1/jobs/{job}/{action}"
        return self._handle(self._connection.json("POST", path, repeatable=True, **options))

    def retry(self, job: str, *, checkpoint: str | int = "latest", learning_rate: Any = None) -> JobHandle:
        """Another attempt at a job that failed. Checkpoints newer than the chosen one are deleted.

        ``checkpoint`` may also be "start"; ``learning_rate`` is a number or a schedule.
        """
        asked: dict[str, Any] = {"checkpoint": checkpoint}
        if learning_rate is not None:
            asked["learning_rate"] = learning_rate
        return self._handle(self._connection.json("POST", f"/v1/jobs/{job}/retry", json=asked))

    def events(self, job: str, after: int = 0) -> builtins.list[dict[str, Any]]:
        """What happened to a job, oldest first, behind sequence number ``after``."""
        return self._connection.items(f"/v1/jobs/{job}/events", after=after)

    def compare(self, *jobs: str, **query: Any) -> builtins.list[dict[str, Any]]:
        """What ``metrics`` tells, of several jobs by one request, in their order; each names its job."""
        answer = self._connection.json("GET", "/v1/metrics", params={"job": jobs, **query})
        return cast(list[dict[str, Any]], answer["jobs"])

    def metrics(self, job: str, **query: Any) -> dict[str, Any]:
        """Losses and metrics over the course of training; ``points`` and more as docs/api.md has them."""
        answer = self._connection.json("GET", f"/v1/jobs/{job}/metrics", params=query)
        return cast(dict[str, Any], answer)

    def logs(self, job: str, *, stream: str = "stderr", attempt: int | None = None, tail: int = 200) -> Log:
        """The last lines that the trainer wrote to ``stream``; of its last attempt where none is named."""
        query = {"stream": stream, "tail": tail} | ({} if attempt is None else {"attempt": attempt})
        return cast(Log, self._connection.json("GET", f"/v1/jobs/{job}/logs", params=query))

    def follow_logs(
        self, job: str, *, stream: str = "stderr", attempt: int | None = None, tail: int = ALL_LINES
    ) -> Iterator[LogPiece]:
        """What the trainer writes to ``stream``, as it writes it, to the end of the job, or of ``attempt``.

        It begins with the last ``tail`` lines of the newest attempt, or of ``attempt``. What breaks is taken
        up where it was; nothing is missed and nothing comes twice.
        """
        asked: dict[str, Any] = {"stream": stream, "attempt": attempt, "tail": tail}
        path = f"/v1/jobs/{job}/logs"
        for event in self._connection.stream(path, patience=PATIENCE_S, **asked):
            if event.type == "lines":
                yield cast(LogPiece, event.data)

    def checkpoints(self, job: str) -> builtins.list[Checkpoint]:
        return self._connection.items(f"/v1/jobs/{job}/checkpoints")

    def lineage(self, job: str) -> builtins.list[Descent]:
        """The job, the one whose checkpoint it started from, and so on back to the first."""
        return self._connection.items(f"/v1/jobs/{job}/lineage")

    def artifacts(self, job: str) -> builtins.list[File]:
        """The files that a job left as its results."""
        return self._connection.items(f"/v1/jobs/{job}/artifacts")

    def artifact(self, job: str, path: str) -> bytes:
        """One of the files that a job left as its results, such as report.json."""
        return (self._connection.request("GET", f"/v1/jobs/{job}/artifacts/{path}")).content

    def download(
        self, job: str, path: str, to: Path, *, progress: Callable[[int, int | None], None] | None = None
    ) -> Path:
        """Fetch one of a job's result files to ``to``, which appears whole or not at all."""
        return self._connection.download(f"/v1/jobs/{job}/artifacts/{path}", to, progress=progress)

    def follow(self, job: str, *, after: int = 0) -> Iterator[Event]:
        """What happens to a job, as it happens: its events behind ``after``, progress between, then ``end``.

        A stream that breaks is taken up where it was; nothing is missed and nothing comes twice.
        """
        last = str(after) if after else None
        path = f"/v1/jobs/{job}/events"
        for event in self._connection.stream(path, last_event_id=last, patience=PATIENCE_S):
            yield event

    def snapshots(self, job: str, *, every: float = 0.3) -> Iterator[Job]:
        """The job as it is and whenever it has changed, until it has ended (that one included).

        ``every``: seconds at least between two of them. A service that is away for a while, as when its
        API is restarted, is waited for.
        """
        answered = time.monotonic()
        asked: dict[str, Any] = {}
        while True:
            try:
                answer = self._connection.request("GET", f"/v1/jobs/{job}", once=True, **asked)
            except JobsApiError as error:
                if not error.passing or time.monotonic() - answered > PATIENCE_S:
                    raise
                asked = {}
            else:
                answered = time.monotonic()
                if answer.status_code != httpx.codes.NOT_MODIFIED:
                    found = cast(Job, answer.json())
                    yield found
                    if found["status"] in TERMINAL:
                        return
                    # The next answer comes when there is news, or when the wait is over.
                    tag = {"If-None-Match": answer.headers["ETag"]}
                    asked = {"params": {"wait": WAIT_S}, "headers": tag, "timeout": WAIT_S + PATIENCE_S}
            time.sleep(every)

    def wait(self, job: str, *, timeout: float | None = None) -> JobHandle:
        """The job once it has ended; TimeoutError after ``timeout`` seconds."""
        begun = answered = time.monotonic()
        while True:
            left = WAIT_S if timeout is None else timeout - (time.monotonic() - begun)
            asked = {"wait": max(0.0, min(left, WAIT_S))}
            try:
                answer = self._connection.json(
                    "GET", f"/v1/jobs/{job}", params=asked, timeout=WAIT_S + PATIENCE_S, once=True
                )
            except JobsApiError as error:
                if not error.passing or time.monotonic() - answered > PATIENCE_S:
                    raise
                time.sleep(0.3)
            else:
                answered = time.monotonic()
                if answer["status"] in TERMINAL:
                    return self._handle(answer)
            if left <= 0:
                raise TimeoutError(f"{job} has not ended after {timeout:g} s")
