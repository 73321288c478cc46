# Made from client/aio/client.py by scripts/blocking-client: change that one.
"""The client: everything that the service offers, by subject."""

from __future__ import annotations

from types import TracebackType
from typing import Any, cast

import httpx

from client.blocking.connection import Connection
from client.blocking.datasets import Datasets
from client.blocking.jobs import Jobs
from client.blocking.models import Models
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
        self.datasets = Datasets(self.connection)
        self.models = Models(self.connection)

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

    def ready(self) -> bool:
        """Whether the service takes jobs now."""
        try:
            self.connection.request("GET", "/readyz")
        except JobsApiError:
            return False
        return True

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Any request, for what has no method of its own; ``options`` as httpx has them."""
        return self.connection.request(method, path, **options)

    def items(self, path: str, limit: int | None = None, **query: Any) -> list[Any]:
        """The items of any list, page after page, at most ``limit``."""
        return self.connection.items(path, limit, **query)
