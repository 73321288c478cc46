"""The service itself: its workers, its parts, its health and its errors."""

from __future__ import annotations

from typing import Any

RESCAN: dict[str, Any] = {"known": 0, "restored": 12, "queued": 2, "interrupted": 0, "unreadable": []}

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

PART: dict[str, Any] = {
    "type": "squared_error",
    "summary": "Sum of squared differences, per example.",
    "description": "",
    "parameters": [],
    "target": "values",
}
