"""Sweeps and their trials as the API shows them."""

from __future__ import annotations

from typing import Any

from jobs.record import rfc3339
from jobs.store import Store
from jobs.sweeps.models import Goal
from jobs.sweeps.registry import Sweep, state
from jobs.sweeps.trials import Trial, best, trials
from trainer.layout import Volume


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
