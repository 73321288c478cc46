# Made from client/aio/webhooks.py by scripts/blocking-client: change that one.
"""``/v1/webhooks``: addresses that are told what happens."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any, cast

from client.blocking.connection import Connection
from client.documents import Delivery, NewWebhook, Webhook


class Webhooks:
    """``/v1/webhooks``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, url: str, events: Sequence[str] = ("*",), **options: Any) -> NewWebhook:
        """A new webhook, whose ``secret`` is told this once.

        ``options`` as docs/api.md has them: job, tag, description.
        """
        asked = {"url": url, "events": list(events), **options}
        return cast(NewWebhook, self._connection.json("POST", "/v1/webhooks", json=asked))

    def get(self, webhook: str) -> Webhook:
        return cast(Webhook, self._connection.json("GET", f"/v1/webhooks/{webhook}"))

    def list(self) -> list[Webhook]:
        return self._connection.items("/v1/webhooks")

    def edit(self, webhook: str, **changes: Any) -> Webhook:
        """Change ``url``, ``events``, ``job``, ``tag`` or ``description``; switch it with ``enabled``."""
        path = f"/v1/webhooks/{webhook}"
        return cast(Webhook, self._connection.json("PATCH", path, json=changes))

    def remove(self, webhook: str) -> None:
        self._connection.request("DELETE", f"/v1/webhooks/{webhook}")

    def test(self, webhook: str) -> Delivery:
        """Have a message sent now, to see whether it arrives."""
        return cast(Delivery, self._connection.json("POST", f"/v1/webhooks/{webhook}/test"))

    def deliveries(self, webhook: str, limit: int | None = None) -> builtins.list[Delivery]:
        """What was sent, newest first, and how it went."""
        return self._connection.items(f"/v1/webhooks/{webhook}/deliveries", limit)

    def redeliver(self, webhook: str, delivery: str) -> Delivery:
        """Send a message again."""
        path = f"/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver"
        return cast(Delivery, self._connection.json("POST", path))
