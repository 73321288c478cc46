"""The log of a process: lines for people, or one JSON object a line (CNTK_JOBS_LOG=json).

Each object has ``time``, ``level``, ``component``, ``logger``, ``message``, and what is known at that moment:
``request_id``, ``trace_id``, ``worker``, ``job``, ``attempt``; an ``error`` holds a traceback.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

NAMES = ("request_id", "trace_id", "worker", "job", "attempt", "method", "path", "status", "seconds")
"""What a line may have beside what all have: bound, provided, or given with it (``extra``)."""

_bound: dict[str, Any] = {}


def bind(**facts: Any) -> None:
    """Have every line of this process tell of these, from now on."""
    _bound.update(facts)


class JsonLines(logging.Formatter):
    """``provided``: what is asked for whenever a line is written, as the id of the request at hand."""

    def __init__(self, component: str, provided: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__()
        self._component = component
        self._provided = provided

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "component": self._component,
            "logger": record.name,
            "message": record.getMessage(),
            **_bound,
            **{name: ask() for name, ask in self._provided.items()},
            **{name: getattr(record, name) for name in NAMES if hasattr(record, name)},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def set_up(
    component: str,
    form: str,
    *,
    stream: TextIO | None = None,
    plain: str = "%(asctime)s %(name)s: %(message)s",
    provided: Mapping[str, Callable[[], Any]] | None = None,
) -> None:
    """Send this process' log to ``stream`` (else stderr), as ``form`` (text or json) says.

    ``plain`` is the format of the lines for people.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(component, provided or {}) if form == "json" else logging.Formatter(plain))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # It tells of every request of ours to others.
    logging.getLogger("httpx").setLevel(logging.WARNING)
