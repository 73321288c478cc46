"""The series that a job's epochs make, by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from app.resources.metrics import EpochPoint, Series
from app.thinning import largest_triangles
from jobs.errors import Fault, InvalidInput
from jobs.specs.structure import nearest

RATE, SECONDS = "learning_rate", "seconds"
MINIBATCHES = "minibatches"

Values = Mapping[str, Sequence[tuple[EpochPoint, float | None]]]


def values_of(epochs: Sequence[EpochPoint]) -> Values:
    """Every series: ``learning_rate``, ``seconds``, ``losses.<split>.<term>``, ``metrics.<split>.<name>``."""
    found: dict[str, list[tuple[EpochPoint, float | None]]] = {}
    for epoch in epochs:
        found.setdefault(RATE, []).append((epoch, epoch.learning_rate))
        found.setdefault(SECONDS, []).append((epoch, epoch.seconds))
        for kind, by_split in (("losses", epoch.losses), ("metrics", epoch.metrics)):
            for split, values in by_split.items():
                for name, value in values.items():
                    found.setdefault(f"{kind}.{split}.{name}", []).append((epoch, value))
    return found


def series_of(values: Values, names: Collection[str], points: int) -> dict[str, Series]:
    """The named ones of these series, each thinned; a name that is not among them is left out."""
    return {name: _thinned(values[name], points) for name in names if name in values}


def require_known(names: Collection[str], known: Collection[str]) -> None:
    """InvalidInput for every name of a series that no job has, unless none has any yet."""
    if not known:
        return
    choice = sorted({*known, MINIBATCHES})
    faults = [
        Fault("/query/series", "unknown_series", f"there is no series {name!r}; {nearest(name, choice)}")
        for name in names
        if name not in choice
    ]
    if faults:
        raise InvalidInput.of(faults)


def _thinned(found: Sequence[tuple[EpochPoint, float | None]], points: int) -> Series:
    """What is not finite has no place in a triangle, and is left out."""
    finite = [(epoch, value) for epoch, value in found if value is not None]
    kept = largest_triangles([epoch.epoch for epoch, _ in finite], [value for _, value in finite], points)
    chosen = [finite[position] for position in kept]
    return Series(
        count=len(found),
        epoch=[epoch.epoch for epoch, _ in chosen],
        step=[epoch.step for epoch, _ in chosen],
        value=[value for _, value in chosen],
    )
