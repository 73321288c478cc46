"""Specs that differ from another one."""

from __future__ import annotations

import copy
from typing import Any


def changed(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with values replaced, at paths such as ``network__0__units``."""
    document = copy.deepcopy(document)
    for path, value in changes.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        place: Any = document
        for step in steps:
            place = place[step]
        if isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
    return document
