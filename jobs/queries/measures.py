"""What training reports of a job, as searches name it: ``metrics.accuracy``, ``losses.test.total``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from jobs.connection import reaching_redis
from jobs.errors import Fault
from jobs.specs.structure import nearest
from jobs.store import Store
from trainer.parts import losses, metrics

SPLITS = ("valid", "test", "train")
"""Where a name stands without a split, the first of these that has it counts."""
PROGRESS = ("epoch", "epochs", "minibatch", "step", "samples", "samples_per_second", "eta_s")
SIGNS = (">=", "<=", "!=", "==", ">", "<", "=")
_COMPARISON = re.compile(rf"(?P<measure>[^<>=!]*)(?P<sign>{'|'.join(SIGNS)})(?P<number>.*)", re.DOTALL)

Names = Mapping[str, Collection[str]]
"""{"losses": …, "metrics": …}: every name that can be meant."""


@dataclass(frozen=True)
class Measure:
    """A value of a job's record. ``splits`` is empty where it has none."""

    field: str
    name: str = ""
    splits: tuple[str, ...] = ()
    text: bool = False
    absent: str = ""
    """What a record without the field has."""

    def by(self) -> dict[str, Any]:
        """As jobs/lua/search.lua wants it."""
        if not self.name:
            return {"field": self.field, "text": self.text, "absent": self.absent}
        asked = {"figure": True, "field": self.field, "name": self.name, "quoted": json.dumps(self.name)}
        return asked | ({"splits": list(self.splits)} if self.splits else {})

    def place(self, job_id: str, value: float | str | None) -> dict[str, Any]:
        """A job's place in the order of these values, as the script wants it."""
        if value is None:
            return {"id": job_id}
        return {"id": job_id, "value": value.encode().hex() if isinstance(value, str) else value}

    def read(self, raw: str | None) -> float | str | None:
        """The value that the script answered with."""
        if raw is None:
            return None
        return bytes.fromhex(raw).decode("utf-8", "replace") if self.text else float(raw)


@dataclass(frozen=True)
class Comparison:
    """``metrics.accuracy>0.9``: true only of jobs that have the value."""

    measure: Measure
    sign: str
    number: float

    def test(self) -> dict[str, Any]:
        """As jobs/lua/search.lua wants it."""
        return {**self.measure.by(), "kind": "figure", "sign": self.sign, "number": self.number}


COLUMNS = {
    "updated_at": Measure("updated_at"),
    "finished_at": Measure("finished_at"),
    "name": Measure("name", text=True),
    "priority": Measure("ahead_ms", absent="0"),
}
"""What jobs can be ordered by beside their measures and ``created_at``."""


def known_names(store: Store) -> Names:
    """Names of losses and metrics: those that a job has reported, and those that parts have by themselves."""
    with reaching_redis(), store.client.pipeline(transaction=False) as pipe:
        for group in ("losses", "metrics"):
            pipe.smembers(f"cj:names:{group}")
        reported_losses, reported_metrics = cast(list[set[str]], pipe.execute())
    return {
        "losses": reported_losses | {*losses.parts},
        "metrics": reported_metrics | {*metrics.parts},
    }


def measure_of(text: str, names: Names, pointer: str) -> Measure | Fault:
    """The measure that ``text`` names, or what is wrong with it."""
    group, _, rest = text.partition(".")
    if group not in ("losses", "metrics", "progress") or not rest:
        ways = "metrics.<name>, losses.<name> (with a split: metrics.test.<name>) or progress.<name>"
        return Fault(pointer, "unknown_measure", f"{text!r} is nothing that jobs report; name {ways}")
    if group == "progress":
        if rest not in PROGRESS:
            detail = f"progress has no {rest!r}; {nearest(rest, list(PROGRESS))}"
            return Fault(pointer, "unknown_measure", detail)
        return Measure("progress", rest)
    split, dot, name = rest.partition(".")
    if not dot or split not in SPLITS:
        split, name = "", rest
    if name not in names[group]:
        detail = f"no job has reported {name!r} among its {group}; {nearest(name, sorted(names[group]))}"
        return Fault(pointer, "unknown_measure", detail)
    return Measure(group, name, (split,) if split else SPLITS)


def comparison_of(text: str, names: Names, pointer: str) -> Comparison | Fault:
    """The comparison that ``text`` is, or what is wrong with it."""
    found = _COMPARISON.fullmatch(text.strip())
    if found is None:
        detail = f"{text!r} is no comparison; one reads metrics.accuracy>0.9, with one of {' '.join(SIGNS)}"
        return Fault(pointer, "no_comparison", detail)
    measure = measure_of(found["measure"].strip(), names, pointer)
    if isinstance(measure, Fault):
        return measure
    try:
        number = float(found["number"])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        detail = f"{found['number'].strip()!r} is no number to compare with"
        return Fault(pointer, "no_number", detail)
    return Comparison(measure, "=" if found["sign"] == "==" else found["sign"], number)
