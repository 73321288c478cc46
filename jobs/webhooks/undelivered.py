"""What webhooks were not told yet when Redis lost its data, from the volume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from jobs.record import Record
from jobs.states import State
from jobs.store import Store
from jobs.webhooks.deliveries import HORIZON, delivery_of, ended, put
from jobs.webhooks.registry import restore
from trainer.layout import Volume

_CHANGES = {state.value for state in State}


class Undelivered:
    """Brings the webhooks back, and then, job by job, what is still to be sent."""

    def __init__(self, store: Store, volume: Volume) -> None:
        self._store = store
        self._webhooks = restore(store, volume)
        self._ended = {webhook.id: ended(webhook.id, volume) for webhook in self._webhooks}
        self._oldest = datetime.now(UTC) - HORIZON

    def restore(self, record: Record, events: Iterable[Mapping[str, Any]]) -> None:
        """Have sent what a job's events tell and the volume does not know to have come to its end."""
        if not self._webhooks:
            return
        recent = [event for event in events if event["type"] in _CHANGES and _time(event) > self._oldest]
        put(
            self._store,
            [
                delivery
                for webhook in self._webhooks
                for event in recent
                if _time(event) >= webhook.created_at
                and (delivery := delivery_of(webhook, record, event))
                and delivery.id not in self._ended[webhook.id]
            ],
        )


def _time(event: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])
