"""Jobs and what is asked of them."""

from __future__ import annotations

from typing import Any

JOB_ID = "job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE"

DATASET_ID = "ds_4f2a9c17e0b35d86a1c4"

SPEC: dict[str, Any] = {
    "name": "digits",
    "dataset": DATASET_ID,
    "inputs": {"pixels": {"field": "pixels"}},
    "network": [
        {"name": "code", "type": "dense", "units": 64, "activation": "relu", "input": "pixels"},
        {"name": "scores", "type": "dense", "units": 10, "input": "code"},
    ],
    "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}],
    "metrics": [{"type": "classification_error", "output": "scores", "target": "digit"}],
    "learner": {"type": "adam", "alpha": 0.001},
    "training": {"epochs": 10, "minibatch_size": 64, "seed": 1},
    "checkpoints": {"every_epochs": 1, "keep_last": 2, "keep_best": 1},
}

RECIPE_SPEC: dict[str, Any] = {
    "name": "digits-joint",
    "dataset": DATASET_ID,
    "recipe": {"type": "joint_autoencoder_classifier", "input": "pixels", "target": "digit"},
    "training": {"epochs": 10, "minibatch_size": 64, "seed": 1},
}

RESUME_SPEC: dict[str, Any] = {
    **SPEC,
    "name": "digits-continued",
    "training": {"epochs": 20, "minibatch_size": 64, "seed": 1},
    "start_from": {"job": JOB_ID, "checkpoint": "latest", "mode": "exact"},
}

BATCH: dict[str, Any] = {
    "jobs": [SPEC, {**SPEC, "name": "digits, wider", "learner": {"type": "adam", "alpha": 0.01}}]
}

LOSSES = {"train": {"loss": 0.1874}, "valid": {"loss": 0.2218}}

METRICS_NOW = {"train": {"classification_error": 0.041}, "valid": {"classification_error": 0.053}}

EVALUATION_REQUEST: dict[str, Any] = {
    "dataset": "ds_90b7c2d15e6f3a48c0d2",
    "split": "test",
    "checkpoint": "best",
    "name": "digits of another hand",
}

FORK_PATCH: dict[str, Any] = {"learner": {"alpha": 0.0005}, "training": {"seed": 2}}

CANCEL_REQUEST: dict[str, Any] = {
    "tag": ["baseline"],
    "created_before": "2026-01-31T09:30:00Z",
    "preview": True,
}

CANCELLED: dict[str, Any] = {"matched": 1, "jobs": [JOB_ID], "preview": True, "more": False}

JOB_EDIT: dict[str, Any] = {"tags": ["digits", "kept"], "priority": 7}

RETRY_REQUEST: dict[str, Any] = {"checkpoint": "best", "learning_rate": 0.0001}

JOB: dict[str, Any] = {
    "id": JOB_ID,
    "kind": "training",
    "name": "digits",
    "tags": ["digits", "baseline"],
    "priority": 5,
    "owner": "alice",
    "status": "running",
    "reason": "training",
    "detail": "",
    "attempt": 1,
    "cancel_requested": False,
    "pause_requested": False,
    "progress": {
        "epoch": 4,
        "epochs": 10,
        "minibatch": 12,
        "step": 81,
        "samples": 5179,
        "samples_per_second": 41250.0,
        "eta_s": 0.24,
    },
    "losses": LOSSES,
    "metrics": METRICS_NOW,
    "checkpoints": 3,
    "timings": {"queued_s": 0.012, "starting_s": 1.31, "training_s": 0.45},
    "resumed_from": None,
    "forked_from": None,
    "dataset": DATASET_ID,
    "recipe": None,
    "fingerprint": "9b1c6f0e2a7d4853b6e0",
    "worker": "worker-1",
    "result": None,
    "created_at": "2026-01-31T09:30:00.250Z",
    "updated_at": "2026-01-31T09:30:02.020Z",
    "started_at": "2026-01-31T09:30:00.262Z",
    "first_minibatch_at": "2026-01-31T09:30:01.572Z",
    "finished_at": None,
    "queue_position": None,
    "waiting_for": None,
    "not_before": None,
    "spec": SPEC,
}

JOB_IN_LIST: dict[str, Any] = {**JOB, "spec": None}

POSTED: dict[str, Any] = {
    "name": "digits",
    "dataset": DATASET_ID,
    "recipe": {"type": "classifier", "inputs": ["pixels"], "target": "digit", "hidden": [64]},
    "training": {"epochs": 10, "minibatch_size": 64, "seed": 1},
}

LINEAGE: dict[str, Any] = {
    "items": [
        {
            "job": "job_01K9Z7A2B4C6D8E0F1G3H5J7KM",
            "found": "record",
            "name": "digits-finer",
            "status": "succeeded",
            "checkpoint": f"{JOB_ID}@12580",
            "step": 200,
            "samples": 12580,
            "mode": "continue",
            "changed": [
                {"pointer": "/learner/alpha/rate", "here": 0.0001, "there": 0.001},
                {"pointer": "/training/epochs", "here": 20, "there": 10},
            ],
        },
        {
            "job": JOB_ID,
            "found": "volume",
            "name": "digits",
            "status": "succeeded",
            "checkpoint": None,
            "step": None,
            "samples": None,
            "mode": None,
            "changed": None,
        },
    ]
}

VALIDATION: dict[str, Any] = {
    "valid": True,
    "spec": SPEC,
    "fingerprint": "9b1c6f0e2a7d4853b6e0",
    "cntk_call": "cntk.adam(parameters, 0.001, momentum=0.9, unit_gain=True, variance_momentum=0.999, "
    "epsilon=1e-08, minibatch_size=IGNORE)",
    "estimate": {
        "parameters": 4810,
        "memory_bytes": 1_203_456,
        "checkpoint_bytes": 61_000,
        "layers": [
            {"name": "code", "shape": [64], "parameters": 4160},
            {"name": "scores", "shape": [10], "parameters": 650},
        ],
    },
}
