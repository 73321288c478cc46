"""How far a job's training has come, to tell new work from what an attempt does again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from jobs.events import EventType
from jobs.totals import Work


@dataclass(frozen=True)
class Reached:
    """Samples and minibatches trained up to the last fact that told of them."""

    samples: int = 0
    step: int = 0

    @classmethod
    def of(cls, progress: Mapping[str, Any]) -> Self:
        return cls(progress.get("samples") or 0, progress.get("step") or 0)

    def after(self, fact: Mapping[str, Any], work: Work) -> Reached:
        """Where training stands after one more fact; what was done for it is added to ``work``.

        An attempt that starts over, or from a checkpoint, begins to count there.
        """
        if fact["type"] == EventType.STARTED:
            return Reached()
        there = Reached.of(fact)
        if fact["type"] == EventType.RESTORED:
            return there
        if fact["type"] == EventType.CHECKPOINT:
            work.saved_bytes += fact.get("size", 0)
            # Checkpoints of earlier trainers do not tell how long they took.
            work.save_ms += [round(fact["seconds"] * 1000)] if "seconds" in fact else []
        if there.samples <= self.samples:
            return self
        work.samples += there.samples - self.samples
        work.minibatches += max(0, there.step - self.step)
        return there
