"""The states of a job, the reasons for being in one, and the only table of transitions.

docs/job-states.md explains them; a test holds that page to this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Few states; the finer story is the reason."""

    QUEUED = "queued"
    """Waits for a worker, for the first time or again."""
    RUNNING = "running"
    """One worker holds the lease of the present attempt."""
    PAUSED = "paused"
    """Waits for somebody to resume it; its newest checkpoint is kept."""
    SUCCEEDED = "succeeded"
    """The training budget is used up, or early stopping ended it; result.json says so."""
    FAILED = "failed"
    """Will not be tried again by itself; reason and detail say why."""
    CANCELLED = "cancelled"
    """Somebody asked for its end before it came by itself."""


class Reason(StrEnum):
    """Why a job is in its state."""

    SUBMITTED = "submitted"
    """Queued for the first time."""
    RECOVERED = "recovered"
    """Queued again: Redis had lost the job, and its record was made anew from the volume."""
    WORKER_STOPPED = "worker_stopped"
    """Queued again: the worker was shut down and the trainer left; not a crash."""
    WORKER_LOST = "worker_lost"
    """Queued again: the lease ran out, nobody renewed it."""
    CRASHED = "crashed"
    """The trainer ended without a result: queued again, or failed at the crash limit."""
    STALLED = "stalled"
    """Queued again: the trainer gave no sign of life for too long; counts as a crash."""
    VOLUME_UNUSABLE = "volume_unusable"
    """Queued again: the volume was full, read-only or out of reach; the detail says which."""
    RESUMED = "resumed"
    """Queued again: a pause is over, or was called off while the trainer was leaving."""
    RETRIED = "retried"
    """Queued again: somebody asked for another attempt at a job that had failed."""
    STARTING = "starting"
    """Running: claimed, the trainer is being started or restored."""
    TRAINING = "training"
    """Running: the first minibatch of this attempt has been trained."""
    COMPLETED = "completed"
    """Succeeded: the whole budget was trained."""
    EARLY_STOPPED = "early_stopped"
    """Succeeded: no improvement for as long as the patience of early stopping."""
    DIVERGED = "diverged"
    """Failed: the loss was no longer a finite number."""
    BAD_DATA = "bad_data"
    """Failed: the data cannot be trained on; the detail names the place."""
    CHECKPOINT_BROKEN = "checkpoint_broken"
    """Failed: the checkpoint to start from is not as it was written."""
    TRAINER_ERROR = "trainer_error"
    """Failed: the trainer gave up with a message; trying again would end the same way."""
    RUNTIME_LIMIT = "runtime_limit"
    """Failed: it ran for longer than ``limits.max_runtime_s``."""
    MEMORY_LIMIT = "memory_limit"
    """Failed: it held more memory than ``limits.memory_bytes``."""
    QUEUE_LIMIT = "queue_limit"
    """Failed: it waited for longer than ``limits.max_queue_s``."""
    DEPENDENCY_FAILED = "dependency_failed"
    """Failed: a job that it was to run after did not succeed."""
    INCOMPLETE = "incomplete"
    """Failed: the submission was interrupted and its run directory is not on the volume."""
    PAUSE_REQUESTED = "pause_requested"
    """Paused, as asked for."""
    CANCEL_REQUESTED = "cancel_requested"
    """Cancelled, as asked for."""
    PRUNED = "pruned"
    """Cancelled: a trial of a sweep that did worse than others at its epoch."""


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
"""Nothing happens to such a job by itself any more. Only a request to retry leaves one: failed."""


@dataclass(frozen=True)
class Transition:
    """One permitted change of state, the reasons it may carry, and when it happens."""

    source: State | None
    target: State
    reasons: tuple[Reason, ...]
    when: str


_CANCELLED = (Reason.CANCEL_REQUESTED, Reason.PRUNED)

TRANSITIONS = (
    Transition(
        None,
        State.QUEUED,
        (Reason.SUBMITTED, Reason.RECOVERED),
        "the job is submitted, or its lost record made anew",
    ),
    Transition(State.QUEUED, State.RUNNING, (Reason.STARTING,), "a worker claims it: the next attempt"),
    Transition(State.QUEUED, State.CANCELLED, _CANCELLED, "cancelled while it waits"),
    Transition(
        State.QUEUED,
        State.FAILED,
        (Reason.QUEUE_LIMIT, Reason.DEPENDENCY_FAILED),
        "it waited for longer than it may, or in vain",
    ),
    Transition(State.QUEUED, State.PAUSED, (Reason.PAUSE_REQUESTED,), "paused while it waits"),
    Transition(
        State.RUNNING,
        State.SUCCEEDED,
        (Reason.COMPLETED, Reason.EARLY_STOPPED),
        "the trainer left a result",
    ),
    Transition(
        State.RUNNING,
        State.FAILED,
        (
            Reason.DIVERGED,
            Reason.BAD_DATA,
            Reason.CHECKPOINT_BROKEN,
            Reason.TRAINER_ERROR,
            Reason.INCOMPLETE,
            Reason.CRASHED,
            Reason.RUNTIME_LIMIT,
            Reason.MEMORY_LIMIT,
        ),
        "the trainer left an error, reached a limit, or crashed too often without progress",
    ),
    Transition(State.RUNNING, State.CANCELLED, _CANCELLED, "cancelled while it runs"),
    Transition(
        State.RUNNING,
        State.QUEUED,
        (
            Reason.WORKER_STOPPED,
            Reason.WORKER_LOST,
            Reason.CRASHED,
            Reason.STALLED,
            Reason.VOLUME_UNUSABLE,
            Reason.RESUMED,
        ),
        "the attempt ended without a result and another one may succeed",
    ),
    Transition(
        State.RUNNING,
        State.PAUSED,
        (Reason.PAUSE_REQUESTED,),
        "paused while it runs: the trainer saved and left",
    ),
    Transition(State.PAUSED, State.QUEUED, (Reason.RESUMED,), "resumed"),
    Transition(State.PAUSED, State.FAILED, (Reason.DEPENDENCY_FAILED,), "it would wait in vain"),
    Transition(
        State.PAUSED,
        State.CANCELLED,
        _CANCELLED,
        "cancelled while it is paused",
    ),
    Transition(State.FAILED, State.QUEUED, (Reason.RETRIED,), "somebody asks for another attempt"),
)


def allowed(source: State | None, target: State, reason: Reason) -> bool:
    """Whether the table permits this change of state for this reason."""
    return any(row.source == source and row.target == target and reason in row.reasons for row in TRANSITIONS)
