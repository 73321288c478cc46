# Made from client/aio/client.py by scripts/blocking-client: change that one.
"""The client: everything that the service offers, by subject."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, cast

import httpx

from client.blocking.checkpoints import Checkpoints
from client.blocking.connection import Connection
from client.blocking.datasets import Datasets
from client.blocking.jobs import Jobs
from client.blocking.models import Models
from client.blocking.sweeps import Sweeps
from client.blocking.tokens import Tokens
from client.blocking.webhooks import Webhooks
from client.events import Event
from client.problems import JobsApiError
from client.retrying import Retries


class Client:
    """A connection to the service at ``url`` (default: ``default_url()``).

    ``token`` goes out as a bearer token (default: CNTK_JOBS_TOKEN); ``timeout`` in seconds. A request
    that may be sent twice is sent again as ``retries`` say where the service cannot take it now.
    Every method raises JobsApiError: what the service refused, or UnreachableError.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        timeout: float = 60.0,
        retries: Retries | None = None,
    ) -> None:
        self.connection = Connection(url, token=token, timeout=timeout, retries=retries)
        self.url = self.connection.url
        self.jobs = Jobs(self.connection)
        self.checkpoints = Checkpoints(self.connection)
        self.datasets = Datasets(self.connection)
        self.models = Models(self.connection)
        self.tokens = Tokens(self.connection)
        self.webhooks = Webhooks(self.connection)
        self.sweeps = Sweeps(self.connection)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    def parts(self) -> dict[str, Any]:
        """The catalogue: every layer, loss, metric, learner, ... with its parameters."""
        return cast(dict[str, Any], self.connection.json("GET", "/v1/parts"))

    def workers(self) -> list[dict[str, Any]]:
        """The workers that are alive, and what they train on."""
        return self.connection.items("/v1/workers")

    def rescan(self) -> dict[str, Any]:
        """Make records that Redis has lost anew from the volume; how many there were."""
        answer = self.connection.json("POST", "/v1/rescan", timeout=None, repeatable=True)
        return cast(dict[str, Any], answer)

    def events(self, limit: int | None = None, **query: Any) -> list[dict[str, Any]]:
        """What happened to all jobs lately."""
        return self.connection.items("/v1/events", limit, **query)

    def follow(self, *, last_event_id: str | None = None) -> Iterator[Event]:
        """What happens to all jobs, as it happens; it has no end."""
        for event in self.connection.stream("/v1/events", last_event_id=last_event_id):
            yield event

    def metrics(self, *jobs: str, **query: Any) -> list[dict[str, Any]]:
        """The courses of several jobs, for comparing; ``points`` and ``series`` as docs/api.md has them."""
        answer = self.connection.json("GET", "/v1/metrics", params={"job": jobs, **query})
        return cast("list[dict[str, Any]]", answer["jobs"])

    def readiness(self) -> dict[str, Any]:
        """Whether the service takes jobs now, and each of the ``checks`` that this follows from."""
        try:
            return cast(dict[str, Any], self.connection.json("GET", "/readyz", once=True))
        except JobsApiError as error:
            if "checks" not in error.extra:
                raise
            return error.extra

    def ready(self) -> bool:
        """Whether the service takes jobs now."""
        try:
            return bool((self.readiness())["ready"])
        except JobsApiError:
            return False

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, for what has no method of its own; ``options`` as httpx has them."""
        return self.connection.request(method, path, **options)

    def items(self, path: str, limit: int | None = None, **query: Any) -> list[Any]:
        """The items of any list, page after page, at most ``limit``."""
        return self.connection.items(path, limit, **query)
