"""From the trainer's facts to the record and the durable events."""

from __future__ import annotations

from itertools import islice
from typing import Any

from jobs.events import FROM_TRAINER, EventType
from jobs.journal import journal_if_possible
from jobs.record import Kind, Record
from jobs.store import Store
from jobs.totals import Work
from trainer.files import Line, complete_lines
from trainer.layout import RunDirectory
from worker.reached import Reached

_BATCH = 500


class Relay:
    """Reads the complete lines of an attempt's facts and passes them on, each one once.

    How far it has come stands in the record beside what it passed on, so the next attempt
    takes up what a killed worker left unread. While Redis is away nothing is lost: the
    lines wait in the file.
    """

    def __init__(self, store: Store, run: RunDirectory, record: Record) -> None:
        self._store = store
        self._run = run
        self.record = record
        """As it was after the last change that went through here."""
        self.journaled = 0
        """Number of the last event on the volume."""
        self._reached = Reached.of(record.progress)

    def forward(self, *, last: bool = False) -> None:
        """Pass on what has been reported since the last time, by earlier attempts first.

        ``last``: nothing more will be, and whoever ends the attempt brings its events to the volume.
        To be called only while no earlier trainer lives. Raises Unavailable while Redis is
        away and Refused where the attempt is another's.
        """
        for attempt in range(max(self.record.facts_attempt, 1), self.record.attempt + 1):
            path = self._run.attempt(attempt).facts
            while attempt >= self.record.facts_attempt:
                offset = self.record.facts_offset if attempt == self.record.facts_attempt else 0
                lines = list(islice(complete_lines(path, offset), _BATCH))
                if not lines:
                    break
                if self._report(attempt, offset, lines) and not last:
                    self.journal()

    def _report(self, attempt: int, offset: int, lines: list[Line]) -> bool:
        """Pass on lines that stand behind ``offset``; whether there were events among them.

        Where the record is further on, because an answer was lost, only that is looked at anew.
        """
        events: list[tuple[int, int, dict[str, Any]]] = []
        fields: dict[str, Any] = {"facts_attempt": attempt, "facts_offset": lines[-1].end}
        losses, metrics = dict(self.record.losses), dict(self.record.metrics)
        training = False
        work, reached = Work(), self._reached
        reached_at = {offset: reached}
        for line in lines:
            if fact := line.value():
                data = {name: value for name, value in fact.items() if name != "time"}
                if fact["type"] in FROM_TRAINER:
                    events.append((round(fact["time"] * 1000), attempt, data))
                if self.record.kind is Kind.TRAINING:
                    reached = reached.after(fact, work)
                losses.update(fact.get("losses", {}))
                metrics.update(fact.get("metrics", {}))
                match fact["type"]:
                    case "progress":
                        not_progress = {"type", "losses", "metrics"}
                        fields["progress"] = {k: v for k, v in data.items() if k not in not_progress}
                    case EventType.FIRST_MINIBATCH:
                        training = attempt == self.record.attempt
                    case EventType.CHECKPOINT | EventType.CHECKPOINT_RETIRED:
                        fields["checkpoints"] = len(self._run.published_checkpoints())
            reached_at[line.end] = reached
        fields.update(losses=losses, metrics=metrics)
        self.record = self._store.report(
            self.record.id,
            self.record.attempt,
            events=events,
            fields=fields,
            training=training,
            floor=self.journaled,
            work=work,
            behind=(attempt, offset),
        )
        # Where Redis was asked before and the answer was lost, the record may stand at any of the lines.
        self._reached = reached_at.get(self.record.facts_offset, self._reached)
        return bool(events)

    def journal(self) -> None:
        """Bring the events to the volume, now or the next time."""
        self.journaled = journal_if_possible(self._store, self._run, self.record.id)
