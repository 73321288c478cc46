"""The durable events of a job: which there are, and how the API and events.jsonl show one.

An event is ``{seq, time, attempt, type, …}``. ``seq`` counts from 1 without gaps within a
job, ``time`` is RFC 3339. Changes of state carry ``reason`` and ``detail``; the rest is what
the trainer reported.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from jobs.record import rfc3339


class EventType(StrEnum):
    # Changes of state, written with them by the store's scripts.
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    CANCEL_REQUESTED = "cancel_requested"
    """A running job was asked to end."""
    PAUSE_REQUESTED = "pause_requested"
    """A running job was asked to pause."""
    RESUME_REQUESTED = "resume_requested"
    """That was called off before the job had paused."""
    EDITED = "edited"
    """Somebody changed its name, tags or priority: what stands here."""
    # Facts that the trainer reported.
    STARTED = "started"
    """The trainer runs: pid, runtime."""
    RESTORED = "restored"
    """It goes on from a checkpoint: step, samples, epoch, from, job."""
    CHECKPOINT_SKIPPED = "checkpoint_skipped"
    """A broken checkpoint was passed over: samples, detail."""
    FIRST_MINIBATCH = "first_minibatch"
    FEATURES = "features"
    """What no learner moves was computed once and is cached now: nodes, rows, seconds."""
    EPOCH = "epoch"
    """An epoch ended: epoch, step, samples, learning_rate, losses, metrics, seconds."""
    CHECKPOINT = "checkpoint"
    """A checkpoint was published: samples, step, epoch, size, sha256, cause, best, seconds, …"""
    CHECKPOINT_RETIRED = "checkpoint_retired"
    """Retention deleted a checkpoint: samples."""
    EARLY_STOPPED = "early_stopped"
    """epoch, metric, best, patience."""


FROM_TRAINER = frozenset(
    {
        EventType.STARTED,
        EventType.RESTORED,
        EventType.CHECKPOINT_SKIPPED,
        EventType.FIRST_MINIBATCH,
        EventType.FEATURES,
        EventType.EPOCH,
        EventType.CHECKPOINT,
        EventType.CHECKPOINT_RETIRED,
        EventType.EARLY_STOPPED,
    }
)


def event_document(seq: int, time_ms: int, attempt: int, data: Mapping[str, Any]) -> dict[str, Any]:
    """One event as it stands in events.jsonl and in the API."""
    return {"seq": seq, "time": rfc3339(time_ms), "attempt": attempt, **data}


def event_line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False).encode() + b"\n"
