# Made from client/aio/tokens.py by scripts/blocking-client: change that one.
"""``/v1/tokens`` and ``/v1/me``: who may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from client.blocking.connection import Connection


class Tokens:
    """``/v1/tokens``, for those whose own token has the scope ``admin``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, name: str, scopes: Sequence[str], **options: Any) -> dict[str, Any]:
        """A new token, whose ``token`` is told this once.

        ``options`` as docs/api.md has them: expires_at, quotas, requests_per_minute.
        """
        asked = {"name": name, "scopes": list(scopes), **options}
        return cast(dict[str, Any], self._connection.json("POST", "/v1/tokens", json=asked))

    def list(self) -> list[dict[str, Any]]:
        return self._connection.items("/v1/tokens")

    def edit(self, token: str, **changes: Any) -> dict[str, Any]:
        """Change a token, named by its id: name, scopes, expires_at, quotas, requests_per_minute.

        What is left out stays; None takes a limit or an end away.
        """
        return cast(dict[str, Any], self._connection.json("PATCH", f"/v1/tokens/{token}", json=changes))

    def revoke(self, token: str) -> None:
        """End a token, named by its id: it opens nothing any more."""
        self._connection.request("DELETE", f"/v1/tokens/{token}")

    def me(self) -> dict[str, Any]:
        """Whose token this client sends, what it may, its quotas and what of them is used."""
        return cast(dict[str, Any], self._connection.json("GET", "/v1/me"))
