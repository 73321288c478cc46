"""An audit line for each change, and ``GET /v1/audit``, which shows them to administrators."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Depends
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.admission.access import READING, Caller, administrators_only
from app.middleware.request_ids import request_id
from app.paging import Number, PageSize
from app.resources.audit import AuditPage
from app.state import SettingsDep
from app.trail import Trail
from jobs.settings import Settings

log = logging.getLogger("uvicorn.error")

router = APIRouter(tags=["audit"])


def trail_of(settings: Settings) -> Trail:
    return Trail(settings.home / "audit.jsonl")


@router.get("/audit", summary="Who changed what, newest first", dependencies=[Depends(administrators_only)])
def read_audit(
    settings: SettingsDep,
    page_size: PageSize = 50,
    page_token: Number = None,
) -> AuditPage:
    items, before = trail_of(settings).page(page_size, int(page_token) if page_token else None)
    return AuditPage.model_validate({"items": items, "next_page_token": str(before) if before else None})


class Audit:
    """Writes the line of a request that changes something before its answer leaves.

    Of callers that were let in alone: anybody could fill the volume with the others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READING or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        noted = False

        async def noting(message: Message) -> None:
            nonlocal noted
            if message["type"] == "http.response.start" and not noted:
                noted = True
                note(scope, message["status"], message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception:
            if not noted:
                note(scope, 500, [])
            raise


def note(scope: Scope, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """One line; where the volume takes none, the log has it: the change is made by now."""
    caller: Caller | None = scope["state"].get("caller")
    if caller is None:
        return
    made = next((value for name, value in headers if name == b"location"), b"").decode("latin-1")
    entry: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "request": request_id.get(),
        "caller": caller.name,
        "token": caller.token.id if caller.token else None,
        "address": scope["client"][0] if scope.get("client") else None,
        "method": scope["method"],
        "path": scope["path"],
        "resource": resource_of(made or scope["path"]),
        "status": status,
    }
    try:
        trail_of(scope["state"]["settings"]).append(entry)
    except OSError as error:
        log.error("no audit line could be written (%s): %s", error, entry)


def resource_of(path: str) -> str | None:
    """The id in ``/v1/<resources>/<id>/…``; None where there is none."""
    steps = path.split("/", 4)
    return steps[3] if len(steps) > 3 else None
