"""Messages of an event stream."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from httpx_sse import ServerSentEvent


@dataclass(frozen=True)
class Event:
    """One message of a stream. ``id``: the position behind which the stream can be taken up again.

    A message that is not repeated, such as ``progress``, has the position of the one before it.
    """

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    id: str | None = None


def event_of(message: ServerSentEvent, position: str | None) -> Event | None:
    """A message as the service sends it, JSON in its data; None for one without data: a heartbeat."""
    if not message.data:
        return None
    return Event(message.event, dict(json.loads(message.data)), message.id or position)
