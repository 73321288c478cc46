"""The client: everything that the service offers, by subject."""

from __future__ import annotations

from types import TracebackType
from typing import Any, cast

import httpx

from client.aio.connection import AsyncConnection
from client.aio.datasets import AsyncDatasets
from client.aio.jobs import AsyncJobs
from client.aio.models import AsyncModels
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
        self.datasets = AsyncDatasets(self.connection)
        self.models = AsyncModels(self.connection)

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

    async def ready(self) -> bool:
        """Whether the service takes jobs now."""
        try:
            await self.connection.request("GET", "/readyz")
        except JobsApiError:
            return False
        return True

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, for what has no method of its own; ``options`` as httpx has them."""
        return await self.connection.request(method, path, **options)

    async def items(self, path: str, limit: int | None = None, **query: Any) -> list[Any]:
        """The items of any list, page after page, at most ``limit``."""
        return await self.connection.items(path, limit, **query)
