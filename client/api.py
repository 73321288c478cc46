"""The client: one method a request, answers as the service gives them."""

from __future__ import annotations

import builtins
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import httpx

from client.documents import Checkpoint, Dataset, Descent, Job, Log
from client.models import Models
from client.problems import JobsApiError, UnreachableError

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""Statuses that never change again."""

PATIENCE_S = 60.0
"""How long ``follow`` and ``wait`` bear with a service that does not answer."""


def default_url() -> str:
    """CNTK_JOBS_URL, or the address that CNTK_JOBS_HOST and CNTK_JOBS_PORT give the service."""
    if url := os.environ.get("CNTK_JOBS_URL"):
        return url
    host = os.environ.get("CNTK_JOBS_HOST", "127.0.0.1")
    return f"http://{host}:{os.environ.get('CNTK_JOBS_PORT', '8765')}"


class Client:
    """A connection to the service at ``url`` (default: ``default_url()``).

    ``token`` goes out as a bearer token (default: CNTK_JOBS_TOKEN); ``timeout`` in seconds.
    Every method raises JobsApiError: what the service refused, or UnreachableError.
    """

    def __init__(self, url: str | None = None, *, token: str | None = None, timeout: float = 60.0) -> None:
        self.url = (url or default_url()).rstrip("/")
        token = token or os.environ.get("CNTK_JOBS_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url, headers=headers, timeout=httpx.Timeout(timeout, connect=5.0)
        )
        self.datasets = Datasets(self)
        self.jobs = Jobs(self)
        self.models = Models(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def parts(self) -> dict[str, Any]:
        """The catalogue: every layer, loss, metric, learner, ... with its parameters."""
        return cast(dict[str, Any], self.request("GET", "/v1/parts").json())

    def workers(self) -> list[dict[str, Any]]:
        """The workers that are alive, and what they train on."""
        return self.items("/v1/workers")

    def rescan(self) -> dict[str, Any]:
        """Make records that Redis has lost anew from the volume; how many there were."""
        return cast(dict[str, Any], self.request("POST", "/v1/rescan", timeout=None).json())

    def ready(self) -> bool:
        """Whether the service takes jobs now."""
        try:
            self.request("GET", "/readyz")
        except JobsApiError:
            return False
        return True

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request; the answer, or JobsApiError."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise UnreachableError(f"no answer from {self.url}: {error or type(error).__name__}") from error
        if answer.is_error:
            raise JobsApiError.of(answer)
        return answer

    def items(self, path: str, limit: int | None = None, **query: Any) -> list[dict[str, Any]]:
        """The items of a list, page after page, at most ``limit``."""
        found: list[dict[str, Any]] = []
        query = {key: value for key, value in query.items() if value is not None}
        while True:
            page = self.request("GET", path, params=query).json()
            found += page["items"]
            token = page.get("next_page_token")
            if limit is not None and len(found) >= limit:
                return found[:limit]
            if not token:
                return found
            query["page_token"] = token


class Datasets:
    """``/v1/datasets``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, *files: str | Path, **options: Any) -> Dataset:
        """Upload files as one data set. ``options`` as docs/datasets.md has them: name, fields, splits, ...

        The same bytes with the same options are the same data set, however often they are sent.
        """
        with ExitStack() as stack:
            parts = [
                ("file", (Path(file).name, stack.enter_context(Path(file).open("rb")))) for file in files
            ]
            answer = self._client.request(
                "POST", "/v1/datasets", files=parts, data={"options": json.dumps(options)}, timeout=None
            )
        return cast(Dataset, answer.json())

    def get(self, dataset: str) -> Dataset:
        return cast(Dataset, self._client.request("GET", f"/v1/datasets/{dataset}").json())

    def list(self, limit: int | None = None) -> list[Dataset]:
        """Newest first."""
        return cast("list[Dataset]", self._client.items("/v1/datasets", limit))

    def remove(self, dataset: str) -> None:
        """Delete a data set; a JobsApiError of status 409 while a live job uses it."""
        self._client.request("DELETE", f"/v1/datasets/{dataset}")

    def named(self, name: str) -> Dataset:
        """The data set with this id, or the newest with this name."""
        for dataset in self.list():
            if name in (dataset["id"], dataset["name"]):
                return dataset
        raise JobsApiError(f"there is no data set {name!r}", status=404, type="not-found")


class Jobs:
    """``/v1/jobs``."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def submit(self, spec: Mapping[str, Any]) -> Job:
        """Create a job; it is queued when this returns."""
        return cast(Job, self._client.request("POST", "/v1/jobs", json=spec).json())

    def validate(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """The spec with every default filled in and what it would take; creates nothing."""
        answer = self._client.request("POST", "/v1/jobs", params={"validate_only": "true"}, json=spec)
        return cast(dict[str, Any], answer.json())

    def get(self, job: str) -> Job:
        return cast(Job, self._client.request("GET", f"/v1/jobs/{job}").json())

    def evaluate(
        self,
        job: str,
        *,
        dataset: str | None = None,
        split: str | None = None,
        checkpoint: str | int = "latest",
        name: str = "",
    ) -> Job:
        """Run a checkpoint of a job on a data set (default: its own), as a job that is queued.

        Without ``split`` the test split is taken, else valid, else train.
        """
        asked = {"dataset": dataset, "split": split, "checkpoint": checkpoint, "name": name}
        return cast(Job, self._client.request("POST", f"/v1/jobs/{job}/evaluate", json=asked).json())

    def artifact(self, job: str, path: str) -> bytes:
        """One of the files that a job left as its results, such as report.json."""
        return self._client.request("GET", f"/v1/jobs/{job}/artifacts/{path}").content

    def list(self, limit: int | None = None, status: str | None = None, kind: str | None = None) -> list[Job]:
        """Newest first. ``kind``: training or evaluation."""
        size = min(limit, 100) if limit else None
        query = {"status": status, "kind": kind, "page_size": size}
        return cast("list[Job]", self._client.items("/v1/jobs", limit, **query))

    def cancel(self, job: str, *, save: bool = False) -> Job:
        """End a job: at once, or with ``save`` after a last checkpoint."""
        query = {"checkpoint": "save"} if save else {}
        return cast(Job, self._client.request("POST", f"/v1/jobs/{job}/cancel", params=query).json())

    def pause(self, job: str) -> Job:
        """Have a job save a checkpoint and free its worker until it is resumed."""
        return cast(Job, self._client.request("POST", f"/v1/jobs/{job}/pause").json())

    def resume(self, job: str) -> Job:
        """Let a paused job go on exactly where it was."""
        return cast(Job, self._client.request("POST", f"/v1/jobs/{job}/resume").json())

    def retry(self, job: str, *, checkpoint: str | int = "latest", learning_rate: Any = None) -> Job:
        """Another attempt at a job that failed. Checkpoints newer than the chosen one are deleted.

        ``checkpoint`` may also be "start"; ``learning_rate`` is a number or a schedule.
        """
        asked: dict[str, Any] = {"checkpoint": checkpoint}
        if learning_rate is not None:
            asked["learning_rate"] = learning_rate
        return cast(Job, self._client.request("POST", f"/v1/jobs/{job}/retry", json=asked).json())

    def events(self, job: str, after: int = 0) -> builtins.list[dict[str, Any]]:
        """What happened to a job, oldest first, behind sequence number ``after``."""
        return self._client.items(f"/v1/jobs/{job}/events", after=after)

    def metrics(self, job: str) -> dict[str, Any]:
        """Losses and metrics over the course of training."""
        return cast(dict[str, Any], self._client.request("GET", f"/v1/jobs/{job}/metrics").json())

    def logs(self, job: str, *, stream: str = "stderr", attempt: int | None = None) -> Log:
        """The end of what the trainer wrote to ``stream``; of its last attempt where none is named."""
        query = {"stream": stream} if attempt is None else {"stream": stream, "attempt": str(attempt)}
        return cast(Log, self._client.request("GET", f"/v1/jobs/{job}/logs", params=query).json())

    def checkpoints(self, job: str) -> builtins.list[Checkpoint]:
        return cast("list[Checkpoint]", self._client.items(f"/v1/jobs/{job}/checkpoints"))

    def lineage(self, job: str) -> builtins.list[Descent]:
        """The job, the one whose checkpoint it started from, and so on back to the first."""
        return cast("list[Descent]", self._client.items(f"/v1/jobs/{job}/lineage"))

    def follow(self, job: str, *, every: float = 0.3) -> Iterator[Job]:
        """The job again and again, ``every`` so many seconds, until it has ended (that one included).

        A service that is away for a while, as when its API is restarted, is waited for.
        """
        answered = time.monotonic()
        while True:
            try:
                found = self.get(job)
            except JobsApiError as error:
                if not error.passing or time.monotonic() - answered > PATIENCE_S:
                    raise
            else:
                answered = time.monotonic()
                yield found
                if found["status"] in TERMINAL:
                    return
            time.sleep(every)

    def wait(self, job: str, *, timeout: float | None = None) -> Job:
        """The job once it has ended; TimeoutError after ``timeout`` seconds."""
        begun = time.monotonic()
        for found in self.follow(job):
            if found["status"] in TERMINAL:
                return found
            if timeout is not None and time.monotonic() - begun > timeout:
                raise TimeoutError(f"{job} is {found['status']} after {timeout:g} s")
        raise AssertionError("follow ends with a job that has ended")
