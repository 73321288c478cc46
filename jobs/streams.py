"""The durable events that only Redis has, until the volume has them too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from jobs.connection import reaching_redis
from jobs.scripts import Scripts


@dataclass(frozen=True)
class StreamedEvent:
    """One durable event as the stream holds it. ``time`` in Unix milliseconds."""

    seq: int
    time: int
    attempt: int
    data: dict[str, Any]


class Streams(Scripts):
    """A stream for each job that has events which are not on the volume yet."""

    def events_after(self, job_id: str, seq: int) -> list[StreamedEvent]:
        """Events in the stream with a greater sequence number."""
        with reaching_redis():
            found = self.client.xrange(f"cj:events:{job_id}", min=f"({seq}-0", max="+")
        return [
            StreamedEvent(
                int(entry.partition("-")[0]),
                int(fields["time"]),
                int(fields["attempt"]),
                json.loads(fields["data"]),
            )
            for entry, fields in cast(list[tuple[str, dict[str, str]]], found)
        ]

    def forget_events(self, job_id: str, up_to: int) -> None:
        """Drop events from the stream that are safe on the volume."""
        with reaching_redis():
            self.client.xtrim(f"cj:events:{job_id}", minid=f"{up_to + 1}-0", approximate=False)

    def unjournaled(self) -> list[str]:
        """Ended jobs that may still have events in their stream."""
        with reaching_redis():
            return sorted(cast(set[str], self.client.smembers("cj:unjournaled")))

    def note_journaled(self, job_id: str, up_to: int | None) -> None:
        """An ended job's events are on the volume up to that number: its stream goes, if that is all.

        None where there is no run directory: then nothing can be kept.
        """
        with reaching_redis():
            self.run("journaled", {"id": job_id} | ({} if up_to is None else {"seq": up_to}))
