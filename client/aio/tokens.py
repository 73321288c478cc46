"""``/v1/tokens`` and ``/v1/me``: who may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from client.aio.connection import AsyncConnection


class AsyncTokens:
    """``/v1/tokens``, for those whose own token has the scope ``admin``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(self, name: str, scopes: Sequence[str], **options: Any) -> dict[str, Any]:
        """A new token, whose ``token`` is told this once.

        ``options`` as docs/api.md has them: expires_at, quotas, requests_per_minute.
        """
        asked = {"name": name, "scopes": list(scopes), **options}
        return cast(dict[str, Any], await self._connection.json("POST", "/v1/tokens", json=asked))

    async def list(self) -> list[dict[str, Any]]:
        return await self._connection.items("/v1/tokens")

    async def edit(self, token: str, **changes: Any) -> dict[str, Any]:
        """Change a token, named by its id: name, scopes, expires_at, quotas, requests_per_minute.

        What is left out stays; None takes a limit or an end away.
        """
        return cast(dict[str, Any], await self._connection.json("PATCH", f"/v1/tokens/{token}", json=changes))

    async def revoke(self, token: str) -> None:
        """End a token, named by its id: it opens nothing any more."""
        await self._connection.request("DELETE", f"/v1/tokens/{token}")

    async def me(self) -> dict[str, Any]:
        """Whose token this client sends, what it may, its quotas and what of them is used."""
        return cast(dict[str, Any], await self._connection.json("GET", "/v1/me"))
