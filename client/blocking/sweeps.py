# Made from client/aio/sweeps.py by scripts/blocking-client: change that one.
"""``/v1/sweeps``: many trials of one spec."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, cast

from client.blocking.connection import Connection


class Sweeps:
    """``/v1/sweeps``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, sweep: Mapping[str, Any]) -> dict[str, Any]:
        """A new sweep, as docs/sweeps.md has it. Its trials begin by themselves."""
        return cast(dict[str, Any], self._connection.json("POST", "/v1/sweeps", json=dict(sweep), keyed=True))

    def get(self, sweep: str) -> dict[str, Any]:
        return cast(dict[str, Any], self._connection.json("GET", f"/v1/sweeps/{sweep}"))

    def list(self, limit: int | None = None) -> builtins.list[dict[str, Any]]:
        """Sweeps, newest first."""
        return self._connection.items("/v1/sweeps", limit)

    def trials(self, sweep: str, limit: int | None = None) -> builtins.list[dict[str, Any]]:
        """The trials of a sweep, in the order in which they were begun."""
        return self._connection.items(f"/v1/sweeps/{sweep}/trials", limit)

    def cancel(self, sweep: str) -> dict[str, Any]:
        """End a sweep and its trials."""
        return cast(dict[str, Any], self._connection.json("POST", f"/v1/sweeps/{sweep}/cancel"))
