"""Webhooks and their deliveries."""

from __future__ import annotations

from typing import Any

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
