"""Pages of what the volume holds, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from jobs.errors import Fault, InvalidInput


class Kept(Protocol):
    """What has a place among others of its kind."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


Item = TypeVar("Item", bound=Kept)


def page_of(found: Sequence[Item], size: int, token: str | None) -> tuple[Sequence[Item], str | None]:
    """The next ``size`` of them, and the token of the page behind.

    The token is the place of the last one, which may be deleted since. InvalidInput where it is none.
    """
    if token is not None:
        require_place(token)
        found = [item for item in found if _place(item) < token]
    return found[:size], _place(found[size - 1]) if len(found) > size else None


def require_place(token: str) -> None:
    """InvalidInput where a token is no place that an earlier answer told."""
    if "/" not in token:
        detail = f"{token!r} is no next_page_token of an earlier answer"
        raise InvalidInput.of([Fault("/query/page_token", "page_token", detail)])


def _place(item: Kept) -> str:
    """Where it stands among all: later ones are greater."""
    return f"{item.created_at.isoformat(timespec='microseconds')}/{item.id}"
