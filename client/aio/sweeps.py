"""``/v1/sweeps``: many trials of one spec."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, cast

from client.aio.connection import AsyncConnection


class AsyncSweeps:
    """``/v1/sweeps``."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def create(self, sweep: Mapping[str, Any]) -> dict[str, Any]:
        """A new sweep, as docs/sweeps.md has it. Its trials begin by themselves."""
        return cast(
            dict[str, Any], await self._connection.json("POST", "/v1/sweeps", json=dict(sweep), keyed=True)
        )

    async def get(self, sweep: str) -> dict[str, Any]:
        return cast(dict[str, Any], await self._connection.json("GET", f"/v1/sweeps/{sweep}"))

    async def list(self, limit: int | None = None) -> builtins.list[dict[str, Any]]:
        """Sweeps, newest first."""
        return await self._connection.items("/v1/sweeps", limit)

    async def trials(self, sweep: str, limit: int | None = None) -> builtins.list[dict[str, Any]]:
        """The trials of a sweep, in the order in which they were begun."""
        return await self._connection.items(f"/v1/sweeps/{sweep}/trials", limit)

    async def cancel(self, sweep: str) -> dict[str, Any]:
        """End a sweep and its trials."""
        return cast(dict[str, Any], await self._connection.json("POST", f"/v1/sweeps/{sweep}/cancel"))
