"""The events of all jobs, for streams of all of them."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from app.streams.sse import Signal, message
from jobs.feed import Figures, Happened, Place, place_of

KEPT = 2000
"""Events that readers find here; who is further behind is told by Redis."""
SHOWN = 1000
"""Jobs of which the newest figures are here."""


@dataclass(frozen=True)
class Choice:
    """What a reader wants to be told of; an empty collection is everything."""

    jobs: Collection[str] = ()
    types: Collection[str] = ()
    figures: bool = True
    """Whether the newest progress between the events is told of."""

    def of(self, job: str) -> bool:
        return not self.jobs or job in self.jobs

    def wants(self, job: str, kind: str) -> bool:
        return self.of(job) and (not self.types or kind in self.types)


@dataclass(frozen=True)
class _Entry:
    place: Place
    job: str
    kind: str
    text: bytes


class Everything:
    """The newest events as messages. It keeps nothing for any reader: each knows its place."""

    def __init__(self) -> None:
        self._recent: deque[_Entry] = deque()
        self._figures: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self.changed = Signal()
        self.floor: Place | None = None
        """All events behind this place are here; None before the feed has begun."""
        self.figures_shown = 0
        """How often a job has shown new figures."""

    @property
    def newest(self) -> Place | None:
        """The place of the newest event, or the one where the feed began."""
        return self._recent[-1].place if self._recent else self.floor

    def add(self, news: Happened | Figures) -> None:
        """One more thing that has happened."""
        if isinstance(news, Happened):
            entry = _Entry(place_of(news.id), news.job, news.document["type"], event_message(news))
            self._recent.append(entry)
            if len(self._recent) > KEPT:
                self.floor = self._recent.popleft().place
        else:
            self.figures_shown += 1
            text = message("progress", {"job": news.job, **news.values})
            self._figures[news.job] = (self.figures_shown, text)
            self._figures.move_to_end(news.job)
            if len(self._figures) > SHOWN:
                self._figures.popitem(last=False)

    def after(self, place: Place, choice: Choice) -> list[bytes] | None:
        """The wanted messages behind a place; None where some are not here any more."""
        if self.floor is None or place < self.floor:
            return None
        found = []
        for entry in reversed(self._recent):
            if entry.place <= place:
                break
            if choice.wants(entry.job, entry.kind):
                found.append(entry.text)
        return found[::-1]

    def figures_after(self, shown: int, choice: Choice) -> list[bytes]:
        """The newest figures of each job that has shown any since."""
        found = []
        for job, (number, text) in reversed(self._figures.items()):
            if number <= shown:
                break
            if choice.figures and choice.of(job):
                found.append(text)
        return found[::-1]


def event_message(event: Happened) -> bytes:
    """A message whose id is the event's place among those of all jobs."""
    return message(event.document["type"], event_item(event), event.id)


def event_item(event: Happened) -> dict[str, Any]:
    """An event as lists of all jobs' events show it."""
    return {"id": event.id, "job": event.job, **event.document}
