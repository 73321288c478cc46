"""Documents that the OpenAPI description shows; tests hold them to their models."""

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

OPTIONS: dict[str, Any] = {
    "name": "digits",
    "fields": {
        "pixels": {"columns": ["pixel_*"]},
        "digit": {"kind": "categorical"},
    },
    "splits": {"fractions": {"valid": 0.1, "test": 0.2}, "seed": 1},
}

LOSSES = {"train": {"loss": 0.1874}, "valid": {"loss": 0.2218}}
METRICS_NOW = {"train": {"classification_error": 0.041}, "valid": {"classification_error": 0.053}}

EVALUATION_REQUEST: dict[str, Any] = {
    "dataset": "ds_90b7c2d15e6f3a48c0d2",
    "split": "test",
    "checkpoint": "best",
    "name": "digits of another hand",
}

RESCAN: dict[str, Any] = {"known": 0, "restored": 12, "queued": 2, "interrupted": 0, "unreadable": []}

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

PROBLEM: dict[str, Any] = {
    "type": "urn:cntk-jobs:problem:invalid-input",
    "title": "Invalid input",
    "status": 422,
    "detail": "/network/1/units: 0 is too small: at least 1 (and 1 more)",
    "errors": [
        {"pointer": "/network/1/units", "code": "too-small", "detail": "0 is too small: at least 1"},
        {"pointer": "/learner/type", "code": "unknown", "detail": "no learner 'adamm'; did you mean 'adam'?"},
    ],
}

EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "time": "2026-01-31T09:30:00.250Z", "attempt": 0, "type": "queued", "reason": "submitted"},
    {
        "seq": 6,
        "time": "2026-01-31T09:30:01.900Z",
        "attempt": 1,
        "type": "epoch",
        "epoch": 1,
        "step": 23,
        "samples": 1437,
        "learning_rate": 0.001,
        "losses": LOSSES,
        "metrics": METRICS_NOW,
        "seconds": 0.11,
    },
]

FEED: list[dict[str, Any]] = [
    {"id": "1769851800250-0", "job": JOB_ID, **EVENTS[0]},
    {"id": "1769851801903-0", "job": JOB_ID, **EVENTS[1]},
]

FEED_PAGE: dict[str, Any] = {"items": FEED, "next_page_token": "1769851801903-0"}

EVENT_PAGE: dict[str, Any] = {"items": EVENTS, "next_page_token": "6"}

EPOCH: dict[str, Any] = {
    "epoch": 1,
    "step": 23,
    "samples": 1437,
    "learning_rate": 0.001,
    "losses": LOSSES,
    "metrics": METRICS_NOW,
    "seconds": 0.11,
}

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

FILE: dict[str, Any] = {
    "path": "model.dnn",
    "size": 20_481,
    "sha256": "d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26",
    "href": f"/v1/checkpoints/{JOB_ID}@5748/files/model.dnn",
}

CHECKPOINT: dict[str, Any] = {
    "id": f"{JOB_ID}@5748",
    "job": JOB_ID,
    "samples": 5748,
    "step": 92,
    "epoch": 4,
    "losses": LOSSES,
    "metrics": METRICS_NOW,
    "size": 61_233,
    "sha256": "0f4c1a9bd6f2e0d1c9a8b7e6f5d4c3b2a1908f7e6d5c4b3a29181706f5e4d3c2",
    "created_at": "2026-01-31T09:30:03.440Z",
    "pinned": False,
    "best": True,
    "files": [FILE],
}

WORKER: dict[str, Any] = {
    "name": "worker-1",
    "host": "trainer-a",
    "pid": 4211,
    "labels": {},
    "summary": "CNTK 2.7 on CPython 3.6.15, MPI stub, no GPU, 2 cores with AVX2",
    "started_at": "2026-01-31T09:29:58.110Z",
    "threads": 2,
    "machine": {"id": "5b0a4a3e-2f4c-4a52-9d6b-0d8a51c0a6f1", "cores": 2},
    "trainer": {
        "python_version": "3.6.15",
        "shim": False,
        "mpi": "stub",
        "cntk_version": "2.7",
        "gpu": None,
        "cpu": {"model": "Intel Xeon", "cores": 2, "flags": ["avx2"]},
    },
}

READINESS: dict[str, Any] = {
    "ready": True,
    "checks": [
        {"name": "redis", "ok": True, "detail": "answers"},
        {"name": "volume", "ok": True, "detail": "writable, 52,428,800,000 bytes free"},
        {"name": "workers", "ok": True, "detail": "1 heard of lately"},
    ],
}

DATASET: dict[str, Any] = {
    "schema_version": 1,
    "id": DATASET_ID,
    "name": "digits",
    "created_at": "2026-01-31T09:29:59.100000Z",
    "format": "csv",
    "rows": 1797,
    "size": 475_000,
    "sources": [
        {
            "filename": "digits.csv",
            "size": 290_112,
            "sha256": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ad9d9216ba7f651b8",
        }
    ],
    "options": OPTIONS,
    "fields": {
        "digit": {
            "kind": "categorical",
            "shape": [3],
            "dtype": "int32",
            "files": {"values": "digit.npy"},
            "count": 1797,
            "classes": ["0", "1", "2"],
            "histogram": [431, 415, 412],
        }
    },
    "splits": {
        "train": {"rows": 1258, "file": "train.npy"},
        "valid": {"rows": 180, "file": "valid.npy"},
        "test": {"rows": 359, "file": "test.npy"},
    },
}

MODEL_FORM: dict[str, Any] = {
    "file": ["SqueezeNet11.model"],
    "options": '{"name": "squeezenet", "preprocessing": {"shift": [104, 117, 123], "channel_order": "bgr"}}',
}

MODEL_OF_JOB: dict[str, Any] = {"job": JOB_ID, "checkpoint": "best", "name": "digits"}

MODEL: dict[str, Any] = {
    "record_version": 1,
    "id": "mdl_0c4f7de1b2a94f1e8d3a5b66",
    "name": "squeezenet",
    "status": "ready",
    "detail": "",
    "created_at": "2026-01-31T09:29:59.100000Z",
    "source": {
        "format": "cntk",
        "filename": "SqueezeNet11.model",
        "size": 4_988_939,
        "sha256": "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ad9d9216ba7f651b8",
        "job": None,
        "checkpoint": None,
    },
    "preprocessing": {"shift": [104, 117, 123], "scale": 1, "channel_order": "bgr"},
    "sandbox": "namespaces+seccomp+no_new_privs+rlimits",
    "sha256": "8d0f3c1a54bb3bd1a3e3b9c5a1f4b0a96e7f6f60f6e1c8f2bb10d7b7c6a2d9e4",
    "inputs": [{"name": "features", "shape": [3, 224, 224]}],
    "outputs": ["z"],
    "nodes": [
        {
            "name": "Convolution_1",
            "op": "Convolution",
            "shape": [64, 111, 111],
            "inputs": ["features"],
            "parameters": 1728,
            "attributes": {"kernel_shape": [3, 3, 3], "strides": [1, 2, 2]},
        }
    ],
    "parameters": 1_235_496,
}

PART: dict[str, Any] = {
    "type": "squared_error",
    "summary": "Sum of squared differences, per example.",
    "description": "",
    "parameters": [],
    "target": "values",
}
WEBHOOK: dict[str, Any] = {
    "id": "wh_01K6Z4D5V1S3Q9ZC0R8N2T7XWA",
    "url": "https://hooks.example.com/cntk-jobs",
    "events": ["job.succeeded", "job.failed"],
    "job": None,
    "tag": None,
    "description": "tells the channel",
    "owner": None,
    "enabled": True,
    "disabled_because": None,
    "created_at": "2026-01-31T09:30:00.250000Z",
}
WEBHOOK_REQUEST: dict[str, Any] = {
    "url": "https://hooks.example.com/cntk-jobs",
    "events": ["job.succeeded", "job.failed"],
    "description": "tells the channel",
}
DELIVERY: dict[str, Any] = {
    "id": "msg_01K6Z4D5V1S3Q9ZC0R8N2T7XWB_9",
    "type": "job.succeeded",
    "job": "job_01K6Z4D5V1S3Q9ZC0R8N2T7XWB",
    "status": "delivered",
    "attempts": 1,
    "created_at": "2026-01-31T09:40:00.250Z",
    "attempted_at": "2026-01-31T09:40:00.750Z",
    "next_at": None,
    "response_status": 204,
    "error": None,
    "payload": '{"type":"job.succeeded","timestamp":"2026-01-31T09:40:00.250Z","data":{"job":'
    '"job_01K6Z4D5V1S3Q9ZC0R8N2T7XWB","name":"digits","kind":"training","owner":null,"tags":[],"status":"succeeded",'
    '"reason":"completed","detail":"","attempt":1,"seq":9}}',
}

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
