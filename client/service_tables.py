"""What the service says of itself, as tables for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from client.documents import Delivery, Webhook
from client.tables import moment, row, table_of


def parts(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """The catalogue, a part a line."""
    table = table_of("kind", "part", "what it is")
    for kind, entries in found.items():
        for entry in entries:
            row(table, kind, str(entry["type"]), str(entry.get("summary") or ""))
    return table


def workers(found: Sequence[Mapping[str, Any]]) -> Table:
    table = table_of("worker", "host", "job", "threads", "trainer")
    for one in found:
        trainer = one.get("trainer") or {}
        threads = str(one.get("threads", ""))
        row(table, one["name"], one["host"], one["job"] or "", threads, str(trainer.get("summary", "")))
    return table


def tokens(found: Sequence[Mapping[str, Any]]) -> Table:
    table = table_of("id", "name", "scopes", "expires", "revoked", "last used")
    for one in found:
        times = [moment(one.get(key) or "") for key in ("expires_at", "revoked_at", "last_used_at")]
        row(table, one["id"], one["name"], ", ".join(one["scopes"]), *times)
    return table


def me(found: Mapping[str, Any]) -> Table:
    """Who asks, and of each quota what is used."""
    table = table_of("", "")
    table.show_header = False
    row(table, "owner", found["name"] or "nobody in particular: no token is asked for")
    row(table, "scope", found["scope"])
    row(table, "token", found["token"] or "")
    row(table, "expires", moment(found["expires_at"] or ""))
    row(table, "requests a minute", _limit(found["requests_per_minute"]))
    for name, limit in found["quotas"].items():
        used = f"{found['use'][name]:,} of " if found["use"] else ""
        row(table, name, f"{used}{_limit(limit)}")
    return table


def _limit(number: int | None) -> str:
    return "any number" if number is None else f"{number:,}"


def webhooks(found: Sequence[Webhook]) -> Table:
    table = table_of("id", "url", "events", "of", "state", "description")
    for one in found:
        of = one["job"] or (f"tag {one['tag']}" if one["tag"] else "all jobs")
        state = "on" if one["enabled"] else f"off: {one['disabled_because'] or 'switched off'}"
        row(table, one["id"], one["url"], ", ".join(one["events"]), of, state, one["description"])
    return table


def deliveries(found: Sequence[Delivery]) -> Table:
    table = table_of("id", "event", "job", "status", "attempts", "answer", "last attempt")
    for one in found:
        answer = one["error"] or str(one["response_status"] or "")
        at = moment(one["attempted_at"] or "")
        row(table, one["id"], one["type"], one["job"] or "", one["status"], str(one["attempts"]), answer, at)
    return table


def findings(found: Sequence[Mapping[str, str]]) -> Table:
    """What a look at the machine found, and the cure of what is missing."""
    table = table_of("check", "", "what was found", "cure")
    for one in found:
        row(table, one["name"], one["state"], one["detail"], one["cure"])
    return table


def rescan(found: Mapping[str, Any]) -> Table:
    """What a rescan found, a line for each number; then the jobs that it could make nothing of."""
    table = Table.grid(padding=(0, 2))
    for name in ("known", "restored", "queued", "interrupted"):
        row(table, name, str(found[name]))
    for job_id in found["unreadable"]:
        row(table, "unreadable", job_id)
    return table


def sweeps(found: Sequence[Mapping[str, Any]]) -> Table:
    table = table_of("id", "name", "status", "going on", "succeeded", "pruned", "failed", "best", "its job")
    for one in found:
        counts = [str(one["trials"][key]) for key in ("going_on", "succeeded", "pruned", "failed")]
        best = one["best"] or {"value": None, "job": ""}
        status = " ".join(filter(None, [one["status"], one["reason"]]))
        row(table, one["id"], one["name"], status, *counts, _number(best["value"]), best["job"])
    return table


def trials(found: Sequence[Mapping[str, Any]]) -> Table:
    table = table_of("trial", "job", "status", "value", "with")
    for one in found:
        values = ", ".join(f"{pointer} = {json.dumps(value)}" for pointer, value in one["parameters"].items())
        row(table, str(one["trial"]), one["job"], one["status"], _number(one["value"]), values)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
