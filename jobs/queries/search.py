"""Jobs by what they are: filters, orders, and pages that stay right while jobs come and change.

Without a filter, or with one that an index answers alone, a page costs what its entries cost. Everything
else is looked for on the server, in stretches of ``STRETCH`` jobs of the shortest list that holds them all,
so that nobody else waits for long. An order other than that of submission looks at every job there is to
look at, for each page, and keeps one page in memory.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from jobs.connection import reaching_redis
from jobs.errors import Fault, InvalidInput
from jobs.ids import first_of, is_job_id
from jobs.queries.measures import Comparison, Measure
from jobs.record import Kind
from jobs.states import State
from jobs.store import Page, Store

STRETCH = 1000
"""Jobs that the server looks at before it serves somebody else: a few milliseconds."""
STRETCHES = 100
"""After so many without a full page the page is answered as it is, with the token to go on by."""
_SKEW_MS = 24 * 60 * 60 * 1000
"""Ids tell when they were made by the clock of an API; created_at is by Redis'."""


@dataclass(frozen=True)
class Filters:
    """Which jobs; times in Unix milliseconds. Nothing is any job."""

    statuses: Sequence[State] = ()
    kind: Kind | None = None
    tags: Sequence[str] = ()
    owner: str | None = None
    recipe: str | None = None
    dataset: str | None = None
    parent: str | None = None
    """A job from one of whose checkpoints they started, or of whose spec theirs was made."""
    name: str | None = None
    """A part of the name, in capitals or not."""
    created_after: int | None = None
    created_before: int | None = None
    where: Sequence[Comparison] = ()


@dataclass(frozen=True)
class Order:
    """By what, and which end first. ``measure`` is None for the order of submission."""

    name: str = "-created_at"
    descending: bool = True
    measure: Measure | None = None


NEWEST_FIRST = Order()


@dataclass(frozen=True, order=True)
class _Place:
    value: float | str
    id: str


@dataclass
class _Source:
    """Lists that together hold every job in question, and what is still to be asked of each."""

    keys: list[str]
    tests: list[dict[str, Any]] = field(default_factory=list)


def search(
    store: Store,
    filters: Filters,
    order: Order = NEWEST_FIRST,
    *,
    token: str | None = None,
    limit: int = 50,
) -> Page:
    """A page of at most ``limit`` jobs, and the token to go on by (None at the end).

    No job stands on two pages, and none is left out that was there all the time and did not change what it
    is looked for or ordered by. InvalidInput where the token is none of this order's.
    """
    if order.measure is None:
        if token is not None and not is_job_id(token):
            raise _no_token(token)
        return _by_submission(store, filters, token, limit, ascending=not order.descending)
    return _by_value(store, filters, order, order.measure, token, limit)


def every(store: Store, filters: Filters) -> Iterator[str]:
    """The ids of all jobs that match, newest first."""
    source = _source(store, filters)
    start, end = _span(filters, None, ascending=False)
    while True:
        with reaching_redis():
            following, *ids = cast(
                list[str], store.run("search", _ask(source, start, end) | {"limit": STRETCH})
            )
        yield from ids
        if not following:
            return
        start = f"({following}"


def _by_submission(store: Store, filters: Filters, after: str | None, limit: int, *, ascending: bool) -> Page:
    source = _source(store, filters)
    start, end = _span(filters, after, ascending=ascending)
    found: list[str] = []
    following = after or ""
    for _ in range(STRETCHES):
        ask = _ask(source, start, end) | {"limit": limit - len(found), "ascending": ascending}
        if not source.tests:
            # One more tells whether another page follows.
            ask["chunk"] = limit + 1
        with reaching_redis():
            following, *ids = cast(list[str], store.run("search", ask))
        found += ids
        if not following or len(found) == limit:
            break
        start = f"({following}"
    with reaching_redis():
        return Page(store.many(found), following or None)


def _by_value(
    store: Store, filters: Filters, order: Order, measure: Measure, token: str | None, limit: int
) -> Page:
    source = _source(store, filters)
    start, end = _span(filters, None, ascending=False)
    beyond = _place_of(token, order) if token is not None else None
    kept: list[tuple[str, float | str | None]] = []
    ask = _ask(source, start, end) | {"by": measure.by(), "descending": order.descending}
    if beyond is not None:
        ask["beyond"] = measure.place(*beyond)
    while True:
        if len(kept) > limit:
            ask["within"] = measure.place(*kept[-1])
        with reaching_redis():
            following, *flat = cast(list[str], store.run("search", ask))
        found = zip(flat[::2], map(measure.read, flat[1::2]), strict=True)
        # One more than the page holds tells whether another one follows.
        kept = _sorted([*kept, *found], order.descending)[: limit + 1]
        if not following:
            break
        ask["from"] = f"({following}"
    with reaching_redis():
        records = store.many([job_id for job_id, _ in kept[:limit]])
    more = len(kept) > limit
    return Page(records, _token(order, *kept[limit - 1]) if more else None)


def _sorted(
    found: list[tuple[str, float | str | None]], descending: bool
) -> list[tuple[str, float | str | None]]:
    """By value and then by id, either both upwards or both downwards; those without a value last."""
    valued = [_Place(value, job_id) for job_id, value in found if value is not None]
    without = sorted((job_id for job_id, value in found if value is None), reverse=descending)
    placed = [(place.id, place.value) for place in sorted(valued, reverse=descending)]
    return [*placed, *((job_id, None) for job_id in without)]


def _token(order: Order, job_id: str, value: float | str | None) -> str:
    text = json.dumps([order.name, value, job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place_of(token: str, order: Order) -> tuple[str, float | str | None]:
    try:
        name, value, job_id = json.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        )
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise _no_token(token) from None
    fits = value is None or isinstance(value, str if order.measure and order.measure.text else int | float)
    if name != order.name or not isinstance(job_id, str) or not is_job_id(job_id) or not fits:
        raise _no_token(token)
    return job_id, value


def _no_token(token: str) -> InvalidInput:
    detail = f"{token!r} is no next_page_token of an earlier answer to this question"
    return InvalidInput.of([Fault("/query/page_token", "page_token", detail)])


def _ask(source: _Source, start: str, end: str) -> dict[str, Any]:
    return {"sources": source.keys, "tests": source.tests, "from": start, "to": end, "chunk": STRETCH}


def _span(filters: Filters, after: str | None, *, ascending: bool) -> tuple[str, str]:
    """From where to where the ids are looked at."""
    low, high = "-", "+"
    if filters.created_after is not None:
        low = "[" + first_of("job", filters.created_after - _SKEW_MS)
    if filters.created_before is not None:
        high = "[" + first_of("job", filters.created_before + _SKEW_MS)
    if after is not None and ascending:
        low = max(low, f"({after}", key=lambda bound: bound[1:])
    elif after is not None:
        high = min(high, f"({after}", key=lambda bound: bound[1:] or "~")
    return (low, high) if ascending else (high, low)


def _source(store: Store, filters: Filters) -> _Source:
    """The shortest lists that hold every job in question, and the tests that are left."""
    if filters.parent is not None:
        # Few jobs come of one, and their records have no field that alone says so.
        return _Source([f"cj:by:parent:{filters.parent}"], list(_tests(filters, "parent")))
    prefix = f"cj:jobs:{filters.kind}" if filters.kind else "cj:jobs"
    choices: dict[str, list[str]] = {}
    if filters.statuses:
        choices["statuses"] = [f"{prefix}:{state}" for state in filters.statuses]
    if filters.kind:
        choices["kind"] = [prefix]
    for name in ("dataset", "owner", "recipe"):
        if getattr(filters, name) is not None:
            choices[name] = [f"cj:by:{name}:{getattr(filters, name)}"]
    choices |= {f"tag {tag}": [f"cj:by:tag:{tag}"] for tag in filters.tags}
    chosen = "all"
    if len(choices) == 1:
        [chosen] = choices
    elif choices:
        with reaching_redis(), store.client.pipeline(transaction=False) as pipe:
            for keys in choices.values():
                for key in keys:
                    pipe.zcard(key)
            counts = iter(pipe.execute())
        sizes = {choice: sum(next(counts) for _ in keys) for choice, keys in choices.items()}
        chosen = min(sizes, key=lambda choice: sizes[choice])
    return _Source(choices.get(chosen, ["cj:jobs"]), list(_tests(filters, chosen)))


def _tests(filters: Filters, answered: str) -> Iterator[dict[str, Any]]:
    """What must still be asked of the jobs of the chosen lists, the cheapest first."""
    if filters.statuses and answered != "statuses":
        yield _any("state", [state.value for state in filters.statuses])
    if filters.kind and answered not in ("kind", "statuses"):
        yield _any("kind", [filters.kind.value]) | {"absent": Kind.TRAINING.value}
    for name in ("dataset", "owner", "recipe"):
        if getattr(filters, name) is not None and answered != name:
            yield _any(name, [getattr(filters, name)])
    if filters.created_after is not None or filters.created_before is not None:
        bounds = {"low": filters.created_after, "high": filters.created_before}
        known = {name: value for name, value in bounds.items() if value is not None}
        yield {"kind": "within", "field": "created_at", **known}
    for tag in filters.tags:
        if answered != f"tag {tag}":
            yield {"kind": "tagged", "tag": tag}
    if filters.name:
        yield {"kind": "contains", "field": "name", "text": _lower(filters.name)}
    for comparison in filters.where:
        yield comparison.test()


def _any(name: str, values: Sequence[str]) -> dict[str, Any]:
    return {"kind": "any", "field": name, "values": dict.fromkeys(values, True)}


def _lower(text: str) -> str:
    """As the server does it: A to Z alone."""
    return "".join(char.lower() if char.isascii() else char for char in text)
