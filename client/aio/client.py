"""The client: everything that the service offers, by subject."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, cast

import httpx

from client.aio.checkpoints import AsyncCheckpoints
from client.aio.connection import AsyncConnection
from client.aio.datasets import AsyncDatasets
from client.aio.jobs import AsyncJobs
from client.aio.models import AsyncModels
from client.aio.sweeps import AsyncSweeps
from client.aio.tokens import AsyncTokens
from client.aio.webhooks import AsyncWebhooks
from client.events import Event
from client.problems import JobsApiError
from client.retrying import Retries


class AsyncClient:
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
        self.connection = AsyncConnection(url, token=token, timeout=timeout, retries=retries)
        self.url = self.connection.url
        self.jobs = AsyncJobs(self.connection)
        self.checkpoints = AsyncCheckpoints(self.connection)
        self.datasets = AsyncDatasets(self.connection)
        self.models = AsyncModels(self.connection)
        self.tokens = AsyncTokens(self.connection)
        self.webhooks = AsyncWebhooks(self.connection)
        self.sweeps = AsyncSweeps(self.connection)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self.connection.aclose()

    async def parts(self) -> dict[str, Any]:
        """The catalogue: every layer, loss, metric, learner, ... with its parameters."""
        return cast(dict[str, Any], await self.connection.json("GET", "/v1/parts"))

    async def workers(self) -> list[dict[str, Any]]:
        """The workers that are alive, and what they train on."""
        return await self.connection.items("/v1/workers")

    async def rescan(self) -> dict[str, Any]:
        """Make records that Redis has lost anew from the volume; how many there were."""
        answer = await self.connection.json("POST", "/v1/rescan", timeout=None, repeatable=True)
        return cast(dict[str, Any], answer)

    async def events(self, limit: int | None = None, **query: Any) -> list[dict[str, Any]]:
        """What happened to all jobs lately."""
        return await self.connection.items("/v1/events", limit, **query)

    async def follow(self, *, last_event_id: str | None = None) -> AsyncIterator[Event]:
        """What happens to all jobs, as it happens; it has no end."""
        async for event in self.connection.stream("/v1/events", last_event_id=last_event_id):
            yield event

    async def metrics(self, *jobs: str, **query: Any) -> list[dict[str, Any]]:
        """The courses of several jobs, for comparing; ``points`` and ``series`` as docs/api.md has them."""
        answer = await self.connection.json("GET", "/v1/metrics", params={"job": jobs, **query})
        return cast("list[dict[str, Any]]", answer["jobs"])

    async def readiness(self) -> dict[str, Any]:
        """Whether the service takes jobs now, and each of the ``checks`` that this follows from."""
        try:
            return cast(dict[str, Any], await self.connection.json("GET", "/readyz", once=True))
        except JobsApiError as error:
            if "checks" not in error.extra:
                raise
            return error.extra

    async def ready(self) -> bool:
        """Whether the service takes jobs now."""
        try:
            return bool((await self.readiness())["ready"])
        except JobsApiError:
            return False

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, for what has no method of its own; ``options`` as httpx has them."""
        return await self.connection.request(method, path, **options)

    async def items(self, path: str, limit: int | None = None, **query: Any) -> list[Any]:
        """The items of any list, page after page, at most ``limit``."""
        return await self.connection.items(path, limit, **query)
