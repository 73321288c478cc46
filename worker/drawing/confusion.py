"""Confusion matrices as a picture: what was said of the examples of each class."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_DPI, _HEAD, _TITLE, _GAP = 100, 0.5, 0.4, 0.2
"""Dots an inch; inches for the picture's title, for a matrix's own, and between two of them."""
_LETTER = 0.085
"""Inches that a letter of a class's name takes."""
_NAME = 24
"""Letters of a class's name that are shown."""
_SMALLEST, _LARGEST, _SIDE = 0.12, 0.6, 9.0
"""Inches of a cell, and of a whole matrix at the most."""
_COUNTED = 0.3
"""In cells smaller than this no count can be read, and none is written."""
_CLASSES = 75
"""Of more classes nothing could be seen."""

Counts = npt.NDArray[np.int64]


def confusion(report: Mapping[str, Any], title: str) -> bytes | None:
    """A PNG of the matrix of every head of classes in a report.json, one below another.

    None where there is no head of 2 to 75 classes with a matrix. A line is a true class, a column what was
    said; the shade is the root of the share of the line: rare classes and rare confusions can be seen.
    """
    shown = [
        (name, head)
        for name, head in report["heads"].items()
        if head.get("confusion") and 2 <= len(head["confusion"]) <= _CLASSES
    ]
    if not shown:
        return None
    panels = [_Panel(name, head) for name, head in shown]
    width = max(5.0, *(panel.width for panel in panels))
    height = _HEAD + sum(panel.height + _GAP for panel in panels)
    figure = Figure((width, height), dpi=_DPI)
    _write(figure, 0.15, height - 0.12, title, 13)
    top = height - _HEAD
    for panel in panels:
        panel.draw(figure, top, str(report["split"]))
        top -= panel.height + _GAP
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()


class _Panel:
    """One matrix with its title and the names of its classes; sizes in inches."""

    def __init__(self, name: str, head: Mapping[str, Any]) -> None:
        self.name = name
        self.head = head
        self.counts: Counts = np.array(head["confusion"], dtype=np.int64)
        self.classes = [_short(entry["name"], _NAME) for entry in head["classes"]]
        self.cell = float(np.clip(_SIDE / len(self.classes), _SMALLEST, _LARGEST))
        self.side = self.cell * len(self.classes)
        self.names = _LETTER * max(map(len, self.classes)) + 0.15
        self.width = 0.45 + self.names + self.side + 0.25
        self.height = _TITLE + self.side + self.names + 0.35

    def draw(self, figure: Figure, top: float, split: str) -> None:
        width, height = figure.get_figwidth(), figure.get_figheight()
        accuracy = self.head["accuracy"]
        right = f"{accuracy:.1%} right" if accuracy is not None else "nothing known"
        _write(figure, 0.15, top, f"{self.name}: {right} of {self.head['examples']} ({split})", 11)
        left, below = 0.45 + self.names, top - _TITLE - self.side
        axes = figure.add_axes((left / width, below / height, self.side / width, self.side / height))
        shares = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        shades = np.sqrt(shares)
        axes.imshow(shades, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
        if self.cell >= _COUNTED:
            self._write_counts(axes, shades)
        size = min(9.0, 60 * self.cell)
        places = np.arange(len(self.classes))
        axes.set_xticks(places, self.classes, rotation=90, fontsize=size, parse_math=False)
        axes.set_yticks(places, self.classes, fontsize=size, parse_math=False)
        axes.tick_params(length=0)
        axes.set_xlabel("said", fontsize=9)
        axes.set_ylabel("true", fontsize=9)

    def _write_counts(self, axes: Axes, shades: npt.NDArray[np.float64]) -> None:
        digits = len(str(self.counts.max()))
        size = min(9.0, 90 * self.cell / max(digits, 2))
        for (row, column), count in np.ndenumerate(self.counts):
            if count:
                colour = "white" if shades[row, column] > 0.6 else "black"
                axes.text(column, row, str(count), ha="center", va="center", fontsize=size, color=colour)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _write(figure: Figure, left: float, top: float, text: str, size: int) -> None:
    """A line of text; a dollar sign in a name is no formula."""
    place = (left / figure.get_figwidth(), top / figure.get_figheight())
    letters = int(figure.get_figwidth() / (0.0088 * size))
    figure.text(*place, _short(text, letters), va="top", ha="left", fontsize=size, parse_math=False)
