"""The quota of bytes: looked at before anything is made that takes room on the volume."""

from __future__ import annotations

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from app.admission.access import Caller, Guard
from jobs.access.usage import Usage
from jobs.errors import QuotaExceeded

TAKES_ROOM = frozenset(
    {"create_job", "create_jobs", "create_sweep", "evaluate_job", "fork_job", "retry_job", "resume_job"}
    | {"create_dataset", "create_model"}
)
"""Endpoints that make something, or have it go on."""


async def room_on_the_volume(request: Request, caller: Caller) -> None:
    """403 where the owner has as many bytes as he may, or will have with what is announced."""
    if caller.name is None or request.scope["route"].name not in TAKES_ROOM:
        return
    guard: Guard = request.state.guard
    quotas = guard.tokens.quotas().get(caller.name)
    if quotas is None or quotas.bytes is None:
        return
    usage: Usage = request.state.usage
    used = await run_in_threadpool(usage.bytes_of, caller.name)
    is_upload = request.headers.get("content-type", "").startswith("multipart/")
    coming = int(request.headers.get("content-length", 0)) if is_upload else 0
    if used >= quotas.bytes or used + coming > quotas.bytes:
        more = f", and this would be {coming:,} more" if coming else ""
        raise QuotaExceeded(
            f"{caller.name} has {used:,} bytes on the volume{more}, and the quota is {quotas.bytes:,}; "
            "delete data sets or models",
            extra={"quota": "bytes", "value": used + coming, "limit": quotas.bytes},
        )
