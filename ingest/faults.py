"""Faults gathered while a file is read: the first ones whole, the rest counted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from jobs.errors import Fault, InvalidInput

LISTED = 50
COMPARED = 5000
"""Among more names, looking for the nearest would take seconds."""


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) of these steps."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def file_pointer(filename: str, *parts: str | int) -> str:
    """The place ``parts`` of an uploaded file."""
    return pointer("file", filename, *parts)


def nearest(word: str, known: Iterable[str]) -> str:
    """What to say behind an unknown name: the one that was probably meant, or all of them."""
    names = list(known)
    if len(names) > COMPARED:
        return f"{len(names):,} are known"
    close = difflib.get_close_matches(word, names, 1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known are {listing(names)}" if names else "there are none"


def listing(names: Iterable[str], limit: int = 12) -> str:
    """``'a', 'b', 'c' and 5 more``."""
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


class FaultList:
    """Faults in the order found. Data can be wrong a million times: memory stays bounded."""

    def __init__(self, limit: int = LISTED) -> None:
        self._limit = limit
        self._listed: list[Fault] = []
        self.count = 0

    def add(self, place: str, code: str, detail: str) -> None:
        self.extend(1, [Fault(place, code, detail)])

    def extend(self, total: int, faults: Iterable[Fault]) -> None:
        """``total`` faults, of which ``faults`` yields as many as there is room to list."""
        self.count += total
        iterator = iter(faults)
        while len(self._listed) < self._limit and (fault := next(iterator, None)) is not None:
            self._listed.append(fault)

    def raise_if_any(self) -> None:
        """InvalidInput with every listed fault and the number of the others."""
        if not self.count:
            return
        faults = list(self._listed)
        if self.count > len(faults):
            more = self.count - len(faults)
            faults.append(Fault("/file", "more", f"{more:,} further faults are not listed"))
        raise InvalidInput.of(faults)
