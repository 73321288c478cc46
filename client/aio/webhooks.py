"""``/v1/webhooks``: addresses that are told what happens."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, cast

from client.aio.connection import AsyncConnection


class AsyncWebhooks:
    """``/v1/webhooks``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, url: str, events: Sequence[str] = ("*",), **options: Any) -> dict[str, Any]:
        """A new webhook, whose ``secret`` is told this once.

        ``options`` as docs/api.md has them: jobs, tag, description.
        """
        asked = {"url": url, "events": list(events), **options}
        return cast(dict[str, Any], await self._connection.json("POST", "/v1/webhooks", json=asked))

    async def get(self, webhook: str) -> dict[str, Any]:
        return cast(dict[str, Any], await self._connection.json("GET", f"/v1/webhooks/{webhook}"))

    async def list(self) -> list[dict[str, Any]]:
        return await self._connection.items("/v1/webhooks")

    async def edit(self, webhook: str, **changes: Any) -> dict[str, Any]:
        path = f"/v1/webhooks/{webhook}"
        return cast(dict[str, Any], await self._connection.json("PATCH", path, json=changes))

    async def remove(self, webhook: str) -> None:
        await self._connection.request("DELETE", f"/v1/webhooks/{webhook}")

    async def test(self, webhook: str) -> dict[str, Any]:
        """Have a message sent now, to see whether it arrives."""
        return cast(dict[str, Any], await self._connection.json("POST", f"/v1/webhooks/{webhook}/test"))

    async def deliveries(self, webhook: str, limit: int | None = None) -> builtins.list[dict[str, Any]]:
        """What was sent, newest first, and how it went."""
        return await self._connection.items(f"/v1/webhooks/{webhook}/deliveries", limit)

    async def redeliver(self, webhook: str, delivery: str) -> dict[str, Any]:
        """Send a message again."""
        path = f"/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver"
        return cast(dict[str, Any], await self._connection.json("POST", path))
