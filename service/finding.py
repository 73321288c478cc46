"""What a look at this machine found, and how to cure it."""

from __future__ import annotations

from typing import TypedDict


class Finding(TypedDict):
    """``state``: ``ok``; ``warning`` where the service runs all the same; ``missing`` where it does not.

    ``cure`` says what to do, and is empty where nothing needs to be done.
    """

    name: str
    state: str
    detail: str
    cure: str


def ok(name: str, detail: str) -> Finding:
    return {"name": name, "state": "ok", "detail": detail, "cure": ""}


def warning(name: str, detail: str, cure: str) -> Finding:
    return {"name": name, "state": "warning", "detail": detail, "cure": cure}


def missing(name: str, detail: str, cure: str) -> Finding:
    return {"name": name, "state": "missing", "detail": detail, "cure": cure}
