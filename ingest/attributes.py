"""What a file says of its own columns, where its format has words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jobs.errors import Fault

Holds = Literal["numbers", "texts", "vectors", "words", "nothing"]
BOOLEANS = ("false", "true")


@dataclass(frozen=True)
class Attribute:
    """One column, as its file declares it."""

    name: str
    holds: Holds
    """``vectors``: a list of numbers a row. ``words``: a list of texts a row."""
    classes: tuple[str, ...] | None = None
    """The values that a column of texts can have, in order."""
    size: int = 1
    """Numbers a row of ``vectors``."""
    fault: Fault | None = None
    """Why no field can be made of it."""

    @property
    def binary(self) -> bool:
        """Whether its classes are 0 and 1, as those of labels are, or false and true."""
        return set(self.classes or ()) in ({"0", "1"}, set(BOOLEANS))

    @property
    def zero(self) -> str:
        """What a sparse row means by leaving the attribute out: 0, or the first class."""
        return "0" if self.holds == "numbers" else self.classes[0] if self.classes else ""
