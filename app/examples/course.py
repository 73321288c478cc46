"""What is told of a job's course: events, figures, attempts, logs."""

from __future__ import annotations

from typing import Any

from app.examples.jobs import JOB_ID, LOSSES, METRICS_NOW

EPOCH: dict[str, Any] = {
    "epoch": 1,
    "step": 23,
    "samples": 1437,
    "learning_rate": 0.001,
    "losses": LOSSES,
    "metrics": METRICS_NOW,
    "seconds": 0.11,
}

EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "time": "2026-01-31T09:30:00.250Z", "attempt": 0, "type": "queued", "reason": "submitted"},
    {
        "seq": 6,
        "time": "2026-01-31T09:30:01.900Z",
        "attempt": 1,
        "type": "epoch",
        **EPOCH,
    },
]

FEED: list[dict[str, Any]] = [
    {"id": "1769851800250-0", "job": JOB_ID, **EVENTS[0]},
    {"id": "1769851801903-0", "job": JOB_ID, **EVENTS[1]},
]

FEED_PAGE: dict[str, Any] = {"items": FEED, "next_page_token": "1769851801903-0"}

EVENT_PAGE: dict[str, Any] = {"items": EVENTS, "next_page_token": "6"}

METRICS: dict[str, Any] = {
    "job": JOB_ID,
    "epochs": [EPOCH],
    "minibatches": {
        "steps": 23,
        "step": [12, 23],
        "last": [1.91, 1.32],
        "min": [1.88, 1.29],
        "max": [2.31, 1.93],
        "mean": [2.07, 1.58],
    },
    "series": None,
}

COMPARISON: dict[str, Any] = {
    "jobs": [
        {
            "job": JOB_ID,
            "name": "digits-joint",
            "status": "running",
            "epochs": [],
            "minibatches": None,
            "series": {"losses.train.total": {"count": 1, "epoch": [1], "step": [23], "value": [1.58]}},
        }
    ]
}

ATTEMPT: dict[str, Any] = {
    "attempt": 1,
    "started_at": "2026-01-31T09:30:00.262Z",
    "ended_at": "2026-01-31T09:30:04.118Z",
    "outcome": "succeeded",
    "reason": "completed",
    "detail": "",
    "stdout_bytes": 0,
    "stderr_bytes": 512,
}

LOG: dict[str, Any] = {
    "attempt": 1,
    "stream": "stderr",
    "lines": ["restored checkpoint 5748 (step 92, epoch 4)"],
    "truncated": False,
}
