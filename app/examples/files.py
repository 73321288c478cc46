"""What lies on the volume: checkpoints, data sets, base models."""

from __future__ import annotations

from typing import Any

from app.examples.jobs import DATASET_ID, JOB_ID, LOSSES, METRICS_NOW

OPTIONS: dict[str, Any] = {
    "name": "digits",
    "fields": {
        "pixels": {"columns": ["pixel_*"]},
        "digit": {"kind": "categorical"},
    },
    "splits": {"fractions": {"valid": 0.1, "test": 0.2}, "seed": 1},
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
