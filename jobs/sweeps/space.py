"""The trials of a search space: where a spec is varied, and the spec that some values make of it."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from jobs.errors import Fault
from jobs.specs.structure import nearest, shown
from jobs.sweeps.models import MOST_TRIALS, Grid, SweepSpec

Parameters = dict[str, Any]
"""One value for each pointer of the space."""


def pointer_of(*steps: object) -> str:
    """A JSON pointer (RFC 6901) of its steps."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def steps_of(pointer: str) -> list[str]:
    """The steps of a JSON pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def applied(spec: Mapping[str, Any], parameters: Parameters) -> dict[str, Any]:
    """The spec with these values in their places; LookupError where a place is not there."""
    changed = copy.deepcopy(dict(spec))
    for pointer, value in parameters.items():
        *way, last = steps_of(pointer)
        holder: Any = changed
        for step in way:
            holder = holder[_key(holder, step)]
        holder[_key(holder, last, new=True)] = copy.deepcopy(value)
    return changed


def _key(holder: Any, step: str, *, new: bool = False) -> Any:
    if isinstance(holder, list) and step.isdecimal() and int(step) < len(holder):
        return int(step)
    if isinstance(holder, dict) and (new or step in holder):
        return step
    raise LookupError(step)


def space_faults(sweep: SweepSpec) -> Iterator[Fault]:
    """What is wrong with the places of a space, and with its size."""
    for pointer in sweep.space:
        place = pointer_of("space", pointer)
        if not pointer.startswith("/"):
            yield Fault(place, "no_pointer", f"a JSON pointer begins with '/'; got {shown(pointer)}")
            continue
        holder: Any = sweep.spec
        *way, last = steps_of(pointer)
        for position, step in enumerate([*way, last]):
            try:
                key = _key(holder, step, new=position == len(way))
            except LookupError:
                known = list(holder) if isinstance(holder, dict) else []
                told = nearest(step, known) if known else _numbers(holder)
                yield Fault(place, "no_such_place", f"the spec has no {shown(step)} there{told}")
                break
            if position < len(way):
                holder = holder[key]
    for one, other in itertools.permutations(sweep.space, 2):
        if other.startswith(one + "/"):
            yield Fault(pointer_of("space", other), "overlap", f"{one} is varied as a whole already")
    if isinstance(sweep.sampler, Grid):
        yield from _grid_faults(sweep)
    elif sweep.trials is None:
        yield Fault(
            "/trials", "missing", f"how many trials at most, 1 to {MOST_TRIALS}? Only a grid has an end"
        )


def _numbers(holder: Any) -> str:
    return f"; it has 0 to {len(holder) - 1}" if isinstance(holder, list) and holder else ""


def _grid_faults(sweep: SweepSpec) -> Iterator[Fault]:
    endless = [pointer for pointer, dimension in sweep.space.items() if dimension.values() is None]
    for pointer in endless:
        yield Fault(
            pointer_of("space", pointer), "no_grid", "a grid needs a step here, or a choice of values"
        )
    if not endless and sweep.trials is None and (count := combinations(sweep)) > MOST_TRIALS:
        detail = f"the grid has {count} combinations: a sweep has at most {MOST_TRIALS} trials"
        yield Fault("/space", "too_large", detail)


def combinations(sweep: SweepSpec) -> int:
    """How many trials a grid has."""
    return math.prod(len(dimension.values() or ()) for dimension in sweep.space.values())


def grid(sweep: SweepSpec, number: int) -> Parameters | None:
    """The values of a grid's trial, counted from 0; None behind the last."""
    found: Parameters = {}
    rest = number
    for pointer, dimension in reversed(sweep.space.items()):
        values = dimension.values() or []
        rest, position = divmod(rest, len(values))
        found[pointer] = values[position]
    return None if rest else {pointer: found[pointer] for pointer in sweep.space}


def corners(sweep: SweepSpec) -> Iterator[Parameters]:
    """Trials with which every extreme and every choice of each dimension is seen once."""
    first = {pointer: dimension.extremes()[0] for pointer, dimension in sweep.space.items()}
    yield first
    for pointer, dimension in sweep.space.items():
        for value in dimension.extremes()[1:]:
            yield first | {pointer: value}
