"""What a file says of its own columns, where its format has words for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attribute:
    """One column, as an ``@attribute`` line of an ARFF file declares it."""

    name: str
    numeric: bool
    classes: tuple[str, ...] | None
    """The values of a nominal attribute, in order."""

    @property
    def binary(self) -> bool:
        """Whether its classes are the numbers 0 and 1, as those of labels are."""
        return set(self.classes or ()) == {"0", "1"}

    @property
    def zero(self) -> str:
        """What a sparse row means by leaving the attribute out: 0, or the first class."""
        return "0" if self.numeric else self.classes[0] if self.classes else ""
