"""The trials of a sweep: which were begun, and how their jobs stand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.errors import Conflict
from jobs.record import Record
from jobs.states import TERMINAL, Reason, State
from jobs.store import Store
from jobs.sweeps.models import Goal
from jobs.sweeps.registry import Status, Sweep, end, load, locked, state
from jobs.sweeps.space import Parameters
from trainer.files import append_line, complete_lines
from trainer.layout import SweepDirectory, Volume


@dataclass(frozen=True)
class Begun:
    """A line of trials.jsonl."""

    number: int
    job: str
    parameters: Parameters
    refused: str | None = None
    """Why no job could be made of it."""


@dataclass(frozen=True)
class Trial:
    """A trial and its job, None where that has not been made yet."""

    begun: Begun
    record: Record | None

    @property
    def ended(self) -> bool:
        return self.begun.refused is not None or (self.record is not None and self.record.ended)

    @property
    def status(self) -> str:
        """That of its job, but for ``pruned`` and ``refused``."""
        if self.begun.refused is not None:
            return "refused"
        if self.record is None:
            return State.QUEUED.value
        pruned = self.record.state is State.CANCELLED and self.record.reason is Reason.PRUNED
        return "pruned" if pruned else self.record.state.value

    def value(self, goal: Goal) -> float | None:
        """What it is compared by, as far as is known."""
        if self.record is None:
            return None
        return measured(goal, self.record.metrics, self.record.losses)


def measured(
    goal: Goal,
    metrics: Mapping[str, Mapping[str, float | None]],
    losses: Mapping[str, Mapping[str, float | None]],
) -> float | None:
    """The goal's value among these: a metric, or a loss where no metric has the name."""
    found = metrics.get(goal.split, {}).get(goal.metric)
    return found if found is not None else losses.get(goal.split, {}).get(goal.metric)


def begun(folder: SweepDirectory) -> list[Begun]:
    """The trials that were begun, in order; a later line of one replaces the earlier."""
    lines = (line.value() for line in complete_lines(folder.trials))
    found = {
        line["trial"]: Begun(line["trial"], line["job"], line["parameters"], line.get("refused"))
        for line in lines
        if line
    }
    return [found[number] for number in sorted(found)]


def note(folder: SweepDirectory, trial: Begun) -> None:
    """Write a trial down."""
    line = {"trial": trial.number, "job": trial.job, "parameters": trial.parameters, "time": time.time()}
    append_line(folder.trials, line | ({"refused": trial.refused} if trial.refused else {}))


def trials(volume: Volume, store: Store, sweep_id: str) -> list[Trial]:
    """The trials with their jobs as they are now."""
    lines = begun(volume.sweep(sweep_id))
    records = {record.id: record for record in store.many([line.job for line in lines])}
    return [Trial(line, records.get(line.job)) for line in lines]


def best(sweep: Sweep, found: list[Trial]) -> Trial | None:
    """The trial that succeeded with the best value, the earlier of two that are alike."""
    sign = 1 if sweep.goal.better == "lower" else -1
    values = [
        (sign * value, trial.begun.number, trial)
        for trial in found
        if trial.status == State.SUCCEEDED and (value := trial.value(sweep.goal)) is not None
    ]
    return min(values)[2] if values else None


def cancel(sweep_id: str, volume: Volume, store: Store) -> Sweep:
    """End a sweep and its trials. Asking again changes nothing; Conflict once it ended by itself."""
    sweep = load(volume, sweep_id)
    folder = volume.sweep(sweep_id)
    with locked(folder, wait=True):
        status, _, _ = state(folder)
        if status in (Status.COMPLETED, Status.FAILED):
            raise Conflict(f"sweep {sweep_id} has already ended: it is {status}")
        if status is Status.RUNNING:
            end(folder, Status.CANCELLED, "cancel_requested")
        cancel_trials(volume, store, sweep_id)
    return sweep


def cancel_trials(volume: Volume, store: Store, sweep_id: str) -> bool:
    """Ask for the end of all trials of a sweep; whether all have ended."""
    found = trials(volume, store, sweep_id)
    for trial in found:
        if trial.record is not None and trial.record.state not in TERMINAL:
            try:
                store.request_cancel(trial.record.id)
            except Conflict:
                continue
    return all(trial.ended or trial.record is None for trial in found)
