"""Pages of lists: which part of a list a request wants, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import Query

from jobs.shelf import place_of


def page_token(pattern: str) -> Any:
    """The query parameter of a list whose tokens read so. What does not is no token of an earlier answer."""
    return Query(pattern=pattern, description="next_page_token of the page before")


PageSize = Annotated[int, Query(ge=1, le=500)]
Place = Annotated[str | None, page_token(r"^[0-9T:.+-]{1,40}/[A-Za-z0-9_]{1,80}$")]
"""The place of the last entry of a page; the entry may be deleted since."""
Number = Annotated[str | None, page_token(r"^[0-9]{1,18}$")]


class Kept(Protocol):
    """What has a place among others of its kind."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


Item = TypeVar("Item", bound=Kept)


def page_of(found: Iterable[Item], size: int, token: str | None) -> tuple[list[Item], str | None]:
    """The newest ``size`` of them behind the place ``token``, and the token of the page behind."""
    items = sorted(found, key=_place, reverse=True)
    if token is not None:
        items = [item for item in items if _place(item) < token]
    return items[:size], _place(items[size - 1]) if len(items) > size else None


def _place(item: Kept) -> str:
    return place_of(item.created_at, item.id)
