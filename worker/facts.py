"""What the trainers of a job report, for those who follow along: each fact once, across attempts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.files import complete_lines, read_json
from trainer.layout import RunDirectory

Fact = dict[str, Any]


@dataclass(frozen=True)
class Written:
    """What the followers of a job had made of its facts when one of them last saved how far it had come."""

    attempt: int
    """Of the follower that saved."""
    size: int
    """Bytes of its file."""


class Followed:
    """The facts of a job up to an attempt, from where ``place``, a file of the run directory, says that an
    earlier follower has come.

    Whoever follows writes what it makes of them to a file of its own, and then saves. What the files have
    beyond ``written`` the next is to take back: it gets those facts again.
    """

    def __init__(self, run: RunDirectory, attempt: int, place: Path) -> None:
        self._run = run
        self._last = attempt
        self._place = place
        known: dict[str, Any] = read_json(place) if place.is_file() else {"attempt": 1, "offset": 0}
        self._attempt, self._offset = int(known["attempt"]), int(known["offset"])
        self.written = Written(**known.get("written", {"attempt": 0, "size": 0}))

    def news(self) -> Iterator[tuple[int, Fact]]:
        """The facts since the last time, each with the number of its attempt."""
        for attempt in range(self._attempt, self._last + 1):
            offset = self._offset if attempt == self._attempt else 0
            for line in complete_lines(self._run.attempt(attempt).facts, offset):
                self._attempt, self._offset = attempt, line.end
                if fact := line.value():
                    yield attempt, fact

    def save(self, size: int) -> None:
        """``size``: bytes of this follower's file, which has all that was read."""
        self.written = Written(self._last, size)
        state = {"attempt": self._attempt, "offset": self._offset, "written": asdict(self.written)}
        # No fsync: this need survive the death of every process, not a power cut.
        aside = self._place.with_name(f".writing-{self._place.name}")
        aside.write_text(json.dumps(state))
        aside.rename(self._place)

    def earlier(self, kind: str) -> Iterator[Fact]:
        """The facts of a type that attempts before the last one reported."""
        for attempt in range(1, self._last):
            for line in complete_lines(self._run.attempt(attempt).facts):
                if kind.encode() in line.raw and (fact := line.value()) and fact["type"] == kind:
                    yield fact
