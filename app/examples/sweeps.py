"""Sweeps and their trials."""

from __future__ import annotations

from typing import Any

from app.examples.jobs import JOB_ID, SPEC

SWEEP_ID = "swp_01K9Z6V3N8Q4T0R7XW2Y5B1CDE"

SWEEP_SPEC: dict[str, Any] = {
    "name": "digits: how wide, how fast",
    "spec": SPEC,
    "space": {
        "/learner/alpha": {"type": "float", "low": 0.0001, "high": 0.1, "log": True},
        "/network/0/units": {"type": "choice", "values": [16, 32, 64]},
    },
    "sampler": {"type": "tpe", "seed": 1},
    "pruner": {"type": "median", "startup_trials": 4},
    "trials": 20,
    "concurrency": 2,
}

TRIAL: dict[str, Any] = {
    "trial": 7,
    "job": JOB_ID,
    "status": "succeeded",
    "detail": "",
    "parameters": {"/learner/alpha": 0.0041, "/network/0/units": 64},
    "value": 0.031,
    "epoch": 10,
}

TRIALS: dict[str, Any] = {"items": [TRIAL], "next_page_token": None}

SWEEP: dict[str, Any] = {
    "id": SWEEP_ID,
    "name": SWEEP_SPEC["name"],
    "owner": None,
    "status": "running",
    "reason": "",
    "created_at": "2026-01-31T09:30:00.250Z",
    "finished_at": None,
    "trials": {"going_on": 2, "succeeded": 6, "pruned": 3, "failed": 0},
    "best": TRIAL,
    "goal": {"metric": "classification_error", "split": "valid", "better": "lower"},
    "asked": {**SWEEP_SPEC, "goal": None, "max_runtime_s": None, "patience": None},
}

SWEEPS: dict[str, Any] = {"items": [SWEEP], "next_page_token": None}
