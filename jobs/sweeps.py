"""Sweeps: trials of one spec that is varied. What the volume holds of them, and how they stand."""

from __future__ import annotations

import fcntl
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jobs import ids
from jobs.errors import Conflict, Fault, InvalidInput, NotFound
from jobs.record import Record, rfc3339
from jobs.settings import Settings
from jobs.spec import normalise
from jobs.spec_models import parse_as
from jobs.states import TERMINAL, Reason, State
from jobs.store import Store
from jobs.sweep_models import Goal, SweepSpec
from jobs.sweep_space import Parameters, applied, corners, space_faults
from trainer.layout import SweepDirectory, Volume, append_line, complete_lines, read_json, write_json

_ID = re.compile(r"swp_[0-9A-Z]{26}")


class Status(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    """It came to its end by itself; ``reason`` says which."""
    FAILED = "failed"
    """It came to its end, and no trial succeeded."""
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Sweep:
    """A sweep as it was posted. Times in Unix milliseconds."""

    id: str
    owner: str | None
    created_at: int
    posted: SweepSpec
    goal: Goal
    epochs: int
    """How long a trial lasts at most."""

    def spec_of(self, number: int, parameters: Parameters) -> dict[str, Any]:
        """The spec of a trial's job."""
        spec = applied(self.posted.spec, parameters)
        name = self.posted.name or str(spec.get("name") or "sweep")
        return spec | {"name": f"{name} #{number}"[:200]}


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


# Making


def create(document: Mapping[str, Any], settings: Settings, owner: str | None = None) -> Sweep:
    """Check a sweep and write it down; its trials begin by themselves.

    Raises InvalidInput with every fault: also where a trial at an edge of the space would be refused.
    """
    posted = parse_as(SweepSpec, document)
    if faults := list(space_faults(posted)):
        raise InvalidInput.of(faults)
    goal, epochs = _checked_corners(posted, settings)
    made = Sweep(ids.new_id("swp"), owner, time.time_ns() // 1_000_000, posted, goal, epochs)
    folder = settings.volume.sweep(made.id)
    folder.path.mkdir(parents=True)
    about = {
        "id": made.id,
        "owner": owner,
        "created_at": made.created_at,
        "posted": posted.model_dump(mode="json", by_alias=True),
        "goal": goal.model_dump(),
        "epochs": epochs,
    }
    write_json(folder.about, about)
    return made


def _checked_corners(posted: SweepSpec, settings: Settings) -> tuple[Goal, int]:
    """What the trials are compared by, and the most epochs that one has."""
    faults: dict[tuple[str, str], Fault] = {}
    goal, epochs = posted.goal, 1
    for parameters in corners(posted):
        try:
            spec = normalise(applied(posted.spec, parameters), settings.volume, settings).document
        except InvalidInput as error:
            told = ", ".join(f"{pointer} = {value!r}" for pointer, value in parameters.items())
            for found in error.faults:
                detail = f"{found.detail} (with {told})"
                faults.setdefault(
                    (found.pointer, found.code), Fault("/spec" + found.pointer, found.code, detail)
                )
            continue
        epochs = max(epochs, spec["training"]["epochs"])
        watch = spec["watch"]
        goal = goal or Goal(metric=watch["metric"], split=watch["split"], better=watch["better"])
        known = {entry["name"] for key in ("objective", "metrics") for entry in spec[key]} | {"total"}
        if goal.metric not in known:
            detail = f"no metric or loss is called {goal.metric!r}; there are {', '.join(sorted(known))}"
            faults.setdefault(("/goal", "unknown"), Fault("/goal/metric", "unknown_metric", detail))
    if faults:
        raise InvalidInput.of(list(faults.values()))
    assert goal is not None
    return goal, epochs


# Reading


def load(volume: Volume, sweep_id: str) -> Sweep:
    """The sweep as posted; NotFound where there is none."""
    folder = volume.sweep(sweep_id)
    if not _ID.fullmatch(sweep_id) or not folder.about.is_file():
        raise NotFound(f"there is no sweep {sweep_id!r}")
    about = read_json(folder.about)
    posted = SweepSpec.model_validate(about["posted"])
    goal = Goal.model_validate(about["goal"])
    return Sweep(about["id"], about["owner"], about["created_at"], posted, goal, about["epochs"])


def ids_of(volume: Volume) -> list[str]:
    """All sweeps, newest first."""
    if not volume.sweeps.is_dir():
        return []
    return sorted(
        (entry.name for entry in volume.sweeps.iterdir() if _ID.fullmatch(entry.name)), reverse=True
    )


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


def state(folder: SweepDirectory) -> tuple[Status, str, int | None]:
    """Status, reason and when it ended."""
    if not folder.state.is_file():
        return Status.RUNNING, "", None
    found = read_json(folder.state)
    return Status(found["status"]), found["reason"], found["finished_at"]


def best(sweep: Sweep, found: list[Trial]) -> Trial | None:
    """The trial that succeeded with the best value, the earlier of two that are alike."""
    sign = 1 if sweep.goal.better == "lower" else -1
    values = [
        (sign * value, trial.begun.number, trial)
        for trial in found
        if trial.status == State.SUCCEEDED and (value := trial.value(sweep.goal)) is not None
    ]
    return min(values)[2] if values else None


def public(sweep: Sweep, volume: Volume, store: Store) -> dict[str, Any]:
    """The sweep as the API shows it."""
    folder = volume.sweep(sweep.id)
    found = trials(volume, store, sweep.id)
    status, reason, finished_at = state(folder)
    winner = best(sweep, found)
    counts = dict.fromkeys(("going_on", "succeeded", "pruned", "failed"), 0)
    for trial in found:
        kind = trial.status if trial.status in ("succeeded", "pruned") else "failed"
        counts[kind if trial.ended else "going_on"] += 1
    return {
        "id": sweep.id,
        "name": sweep.posted.name,
        "owner": sweep.owner,
        "status": status.value,
        "reason": reason,
        "created_at": rfc3339(sweep.created_at),
        "finished_at": rfc3339(finished_at),
        "trials": counts,
        "best": shown(winner, sweep.goal) if winner else None,
        "goal": sweep.goal.model_dump(),
        "asked": sweep.posted.model_dump(mode="json", by_alias=True),
    }


def shown(trial: Trial, goal: Goal) -> dict[str, Any]:
    """A trial as the API shows it."""
    record = trial.record
    return {
        "trial": trial.begun.number,
        "job": trial.begun.job,
        "status": trial.status,
        "detail": trial.begun.refused or (record.detail if record else ""),
        "parameters": trial.begun.parameters,
        "value": trial.value(goal),
        "epoch": record.progress.get("epoch") if record else None,
    }


# Ending


@contextmanager
def locked(folder: SweepDirectory, *, wait: bool) -> Iterator[bool]:
    """Whether the sweep is this process's own meanwhile. Without ``wait``, not where it is another's."""
    with folder.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def end(folder: SweepDirectory, status: Status, reason: str) -> None:
    """Write down that the sweep has ended."""
    finished_at = time.time_ns() // 1_000_000
    write_json(folder.state, {"status": status.value, "reason": reason, "finished_at": finished_at})


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
