"""What a trainer left to be seen, as one picture: a line a node, a column an example."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_WIDTH, _DPI, _MARGIN, _TITLE, _LABEL, _BELOW = 12.0, 100, 0.15, 0.4, 0.22, 0.1
"""Inches, and dots an inch: 1,200 pixels wide; a margin all around; a line's label and the space below it."""
_COLUMNS = 10
"""Examples side by side; further ones go on below."""
_MAPS = 16
"""Maps of an example beyond so many are left out, and the label says so."""
_RATIO = 4.0
"""No example is drawn higher than so many times its width, nor the other way round."""
_PAPER = 1.0
"""White, in which gaps are left."""

Numbers = npt.NDArray[np.float32]


def load(path: Path) -> dict[str, Numbers]:
    """The arrays of pictures.npz, in their order: (examples, [maps,] height, width)."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def pictures(shown: Mapping[str, Numbers], title: str) -> bytes:
    """A PNG of the same examples as each node has them.

    Nodes of the first one's shape have its range of grey, so that they can be compared; every other node
    that of its own values. Three maps of the first one's shape are red, green and blue.
    """
    first = next(iter(shown.values()))
    lines = [_line(name, values, first) for name, values in shown.items()]
    columns = min(_COLUMNS, len(first))
    across = (_WIDTH - 2 * _MARGIN) / _COLUMNS
    blocks = range(0, len(first), columns)
    block = sum(_LABEL + line.height(across) + _BELOW for line in lines)
    height = 2 * _MARGIN + _TITLE + len(blocks) * block
    figure = Figure((_WIDTH, height), dpi=_DPI)
    top = height - _MARGIN
    _write(figure, top, title, 13)
    top -= _TITLE
    for start in blocks:
        for line in lines:
            _write(figure, top, line.label, 9)
            own = line.height(across)
            top -= _LABEL + own
            for column, tile in enumerate(line.tiles[start : start + columns]):
                left, wide = _MARGIN + column * across, 0.94 * across
                axes = figure.add_axes((left / _WIDTH, top / height, wide / _WIDTH, own / height))
                axes.imshow(tile, interpolation="nearest", aspect="equal", vmin=0, vmax=1, cmap="gray")
                axes.set_axis_off()
            top -= _BELOW
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()


@dataclass(frozen=True)
class _Line:
    """One node: its label, and a tile an example, (height, width) of grey or (height, width, 3), 0 to 1."""

    label: str
    tiles: list[Numbers]

    def height(self, across: float) -> float:
        """Inches of its tiles, which are ``across`` wide with the gap behind them."""
        high, wide = self.tiles[0].shape[:2]
        return float(0.94 * across * min(max(high / wide, 1 / _RATIO), _RATIO))


def _write(figure: Figure, top: float, text: str, size: int) -> None:
    """A line of text whose upper edge is at ``top`` inches; a dollar sign in a name is no formula."""
    short = text if len(text) <= 110 else text[:109] + "…"
    place = (_MARGIN / _WIDTH, top / figure.get_figheight())
    figure.text(*place, short, va="top", ha="left", fontsize=size, parse_math=False)


def _line(name: str, values: Numbers, first: Numbers) -> _Line:
    compared = values.shape == first.shape
    finite = np.isfinite(first if compared else values)
    span = (first if compared else values)[finite]
    low, high = (float(span.min()), float(span.max())) if span.size else (0.0, 0.0)
    grey = np.clip((np.nan_to_num(values, nan=low) - low) / (high - low if high > low else 1.0), 0, 1)
    label = f"{name}: {' x '.join(map(str, values.shape[1:]))}, black {low:.3g}, white {high:.3g}"
    if values.ndim == 3:
        return _Line(label, list(grey))
    if compared and values.shape[1] == 3:
        return _Line(label, list(np.moveaxis(grey, 1, -1)))
    if values.shape[1] > _MAPS:
        label += f" (the first {_MAPS} maps)"
    return _Line(label, [_side_by_side(maps[:_MAPS]) for maps in grey])


def _side_by_side(maps: Numbers) -> Numbers:
    """The maps of one example in a square, with a white line between them."""
    count, high, wide = maps.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    gap = 1 if count > 1 else 0
    tile = np.full((down * (high + gap) - gap, across * (wide + gap) - gap), _PAPER, dtype=np.float32)
    for number, one in enumerate(maps):
        y, x = number // across * (high + gap), number % across * (wide + gap)
        tile[y : y + high, x : x + wide] = one
    return tile
