"""What a job says and leaves at its end: the spec's ``decisions`` and ``keep``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from jobs.specs.part_models import Strict


def distinct(values: list[str]) -> list[str]:
    """Validates lists whose entries may not repeat."""
    if len(set(values)) != len(values):
        raise ValueError("each entry may stand here once only")
    return values


def _threshold(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
    if not number and value != "tuned":
        raise ValueError("a threshold is a probability in 0..1, or 'tuned'")
    return value


Threshold = Annotated[Annotated[float, Field(ge=0, le=1)] | Literal["tuned"], BeforeValidator(_threshold)]


class Decision(Strict):
    """From which probability on the labels of a logistic term's output are said.

    ``tuned`` finds, after the training and on the validation split, the threshold (or with
    ``per_label`` one for each label) that is best by the figure that ``by`` names.
    """

    output: str
    threshold: Threshold = 0.5
    per_label: bool = False
    by: Literal["hamming_loss", "micro_f1", "macro_f1"] = "hamming_loss"


SHOWN = 100
"""Images of a picture at the most."""


def _images(value: Any) -> Any:
    whole = [isinstance(number, int) and not isinstance(number, bool) for number in _several(value)]
    count = len(value) if isinstance(value, list) else value
    if not all(whole) or not 1 <= count <= SHOWN:
        raise ValueError(f"images is how many the picture shows, 1 to {SHOWN}, or a list of as many rows")
    if isinstance(value, list) and (len(set(value)) < count or min(value) < 0):
        raise ValueError("rows are counted from 0, and each may stand here once only")
    return value


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


Images = Annotated[
    Annotated[int, Field(ge=1, le=SHOWN)]
    | Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=SHOWN)],
    BeforeValidator(_images),
]


class Keep(Strict):
    """What a job leaves at its end of the values of inputs and layers, over the split that it evaluates.

    Each node in ``values`` becomes ``<node>.npy``: the first ``rows`` rows of the split, in its order. Those
    in ``pictures`` are drawn below one another in ``pictures.png``, for the first ``images`` rows, or for the
    rows of the data set that ``images`` lists.
    """

    values: Annotated[list[str], AfterValidator(distinct)] = Field(default=[])
    rows: int = Field(default=10_000, ge=1)
    pictures: Annotated[list[str], AfterValidator(distinct)] = Field(default=[])
    images: Images = 10
