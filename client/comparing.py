"""Several jobs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from client.documents import Job

ABSENT = None
"""What a spec that lacks a place shows there."""

PLAIN = frozenset({"/name", "/fingerprint"})
"""Places that differ anyhow, or because others do."""


class Comparison(TypedDict):
    """``differences``, ``losses`` and ``metrics``: {place: one value a job}, in the order of ``jobs``."""

    jobs: list[str]
    names: list[str]
    statuses: list[str]
    differences: dict[str, list[Any]]
    losses: dict[str, list[float | None]]
    metrics: dict[str, list[float | None]]
    seconds: list[float | None]


def compare(jobs: Sequence[Job]) -> Comparison:
    """Where the specs of ``jobs`` differ, by JSON pointer, and what came of each."""
    specs = [dict(leaves(job["spec"] or {})) for job in jobs]
    places = dict.fromkeys(place for spec in specs for place in spec)
    rows = {place: [spec.get(place, ABSENT) for spec in specs] for place in places}
    differences = {
        place: row
        for place, row in rows.items()
        if place not in PLAIN and any(value != row[0] for value in row)
    }
    return {
        "jobs": [job["id"] for job in jobs],
        "names": [job["name"] for job in jobs],
        "statuses": [job["status"] for job in jobs],
        "differences": differences,
        "losses": _side_by_side([job["losses"] for job in jobs]),
        "metrics": _side_by_side([job["metrics"] for job in jobs]),
        "seconds": [job["timings"].get("training_s") for job in jobs],
    }


def leaves(document: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a JSON document that is no object and no list, by its JSON pointer."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from leaves(value, f"{place}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from leaves(value, f"{place}/{index}")
    else:
        yield place, document


def _side_by_side(values: Sequence[dict[str, dict[str, float | None]]]) -> dict[str, list[float | None]]:
    """{"split name": one value a job} of {split: {name: value}} a job."""
    flat = [
        {f"{split} {name}": value for split, named in one.items() for name, value in named.items()}
        for one in values
    ]
    return {row: [one.get(row) for one in flat] for row in dict.fromkeys(row for one in flat for row in one)}
