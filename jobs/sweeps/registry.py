"""Sweeps: what was posted, how they stand, and who may take one further. The volume is the truth."""

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
from jobs.errors import Fault, InvalidInput, NotFound
from jobs.settings import Settings
from jobs.specs.normalise import normalise
from jobs.specs.structure import parse_as
from jobs.sweeps.models import Goal, SweepSpec
from jobs.sweeps.space import Parameters, applied, corners, space_faults
from trainer.files import read_json, write_json
from trainer.layout import SweepDirectory, Volume

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


def create(document: Mapping[str, Any], settings: Settings, owner: str | None = None) -> Sweep:
    """Check a sweep and write it down; its trials begin by themselves.

    Raises InvalidInput with every fault: also where a trial at an edge of the space would be refused.
    """
    try:
        posted = parse_as(SweepSpec, document)
        if faults := list(space_faults(posted)):
            raise InvalidInput.of(faults)
    except InvalidInput as error:
        raise InvalidInput.of([*error.faults, *_faults_of_spec(document, settings)]) from None
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


def _faults_of_spec(document: Mapping[str, Any], settings: Settings) -> list[Fault]:
    """What is wrong with a sweep's spec as it stands, but for what is varied."""
    spec, space = document.get("spec"), document.get("space")
    if not isinstance(spec, Mapping):
        return []
    try:
        normalise(spec, settings.volume, settings)
    except (InvalidInput, NotFound) as error:
        varied = tuple(space) if isinstance(space, Mapping) else ()
        return [_within(fault) for fault in error.faults if not fault.pointer.startswith(varied)]
    return []


def _within(fault: Fault, more: str = "") -> Fault:
    """A fault of a spec as one of the sweep that it stands in."""
    return Fault("/spec" + fault.pointer, fault.code, fault.detail + more)


def _checked_corners(posted: SweepSpec, settings: Settings) -> tuple[Goal, int]:
    """What the trials are compared by, and the most epochs that one has."""
    faults: dict[tuple[str, str], Fault] = {}
    goal, epochs, invalid = posted.goal, 1, False
    for parameters in corners(posted):
        try:
            spec = normalise(applied(posted.spec, parameters), settings.volume, settings).document
        except (InvalidInput, NotFound) as error:
            invalid |= isinstance(error, InvalidInput)
            told = ", ".join(f"{pointer} = {value!r}" for pointer, value in parameters.items())
            for found in error.faults:
                faults.setdefault((found.pointer, found.code), _within(found, f" (with {told})"))
            continue
        epochs = max(epochs, spec["training"]["epochs"])
        watch = spec["watch"]
        goal = goal or Goal(metric=watch["metric"], split=watch["split"], better=watch["better"])
        known = {entry["name"] for key in ("objective", "metrics") for entry in spec[key]} | {"total"}
        if goal.metric not in known:
            detail = f"no metric or loss is called {goal.metric!r}; there are {', '.join(sorted(known))}"
            faults.setdefault(("/goal", "unknown"), Fault("/goal/metric", "unknown_metric", detail))
            invalid = True
    if invalid:
        raise InvalidInput.of(list(faults.values()))
    if faults:
        # As where a job is posted with nothing wrong but that.
        raise NotFound(next(iter(faults.values())).detail, faults=list(faults.values()))
    assert goal is not None
    return goal, epochs


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


def state(folder: SweepDirectory) -> tuple[Status, str, int | None]:
    """Status, reason and when it ended."""
    if not folder.state.is_file():
        return Status.RUNNING, "", None
    found = read_json(folder.state)
    return Status(found["status"]), found["reason"], found["finished_at"]


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
