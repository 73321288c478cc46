"""Server-sent events as tests read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

SSE = {"accept": "text/event-stream"}
Message = dict[str, str]


def parsed(lines: Iterator[str]) -> Iterator[Message]:
    """The messages of a stream, as they come."""
    found: Message = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif found:
            yield found
            found = {}


@contextmanager
def reading(api: httpx.Client, path: str, **asked: Any) -> Iterator[Iterator[Message]]:
    headers = {**SSE, **asked.pop("headers", {})}
    with api.stream("GET", path, headers=headers, params=asked) as answer:
        assert answer.status_code == 200
        yield parsed(answer.iter_lines())
