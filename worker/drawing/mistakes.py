"""The most confident mistakes of a classifier of images, as a sheet of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_COLUMNS, _TILE, _TEXT, _MARGIN, _TITLE = 5, 2.3, 0.5, 0.15, 0.32
"""Images side by side, inches of a tile's side and of the text below it, of the margin and of a title."""
_DPI = 100
_LETTERS = 36

Array = npt.NDArray[Any]


def mistakes(found: Mapping[str, Array], title: str) -> bytes:
    """A PNG of mistakes.npz, as trainer/image_reports.py wrote it: the images of each head, worst first."""
    heads = list(dict.fromkeys(found["head"].tolist()))
    groups = [np.flatnonzero(found["head"] == head) for head in heads]
    width = 2 * _MARGIN + _COLUMNS * _TILE
    lines = sum(-(-len(group) // _COLUMNS) for group in groups)
    height = 2 * _MARGIN + _TITLE * (1 + len(groups)) + lines * (_TILE + _TEXT)
    figure = Figure((width, height), dpi=_DPI)
    top = height - _MARGIN
    _write(figure, _MARGIN, top, title, 13)
    top -= _TITLE
    for head, group in zip(heads, groups, strict=True):
        _write(figure, _MARGIN, top, f"{head}: the most confident mistakes", 11)
        top -= _TITLE
        for start in range(0, len(group), _COLUMNS):
            for column, number in enumerate(group[start : start + _COLUMNS]):
                _tile(figure, _MARGIN + column * _TILE, top, found, int(number))
            top -= _TILE + _TEXT
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()


def _tile(figure: Figure, left: float, top: float, found: Mapping[str, Array], number: int) -> None:
    """One mistake: the image, what it is, and what was said of it how surely."""
    image = np.moveaxis(found["image"][number], 0, -1)
    if image.shape[2] != 3:
        image = image[:, :, 0]
    width, height = figure.get_figwidth(), figure.get_figheight()
    side = _TILE - 0.15
    axes = figure.add_axes((left / width, (top - side) / height, side / width, side / height))
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="equal")
    axes.set_axis_off()
    said = f"{found['predicted'][number]} {found['probability'][number]:.1%}"
    _write(figure, left, top - side - 0.04, f"said {said}", 8, "#b3261e")
    _write(figure, left, top - side - 0.2, f"true {found['true'][number]}", 8)
    name = str(found["name"][number]) or f"row {found['row'][number]}"
    _write(figure, left, top - side - 0.36, name[-_LETTERS:], 7, "#5f6368")


def _write(figure: Figure, left: float, top: float, text: str, size: int, colour: str = "black") -> None:
    """A line of text whose upper left corner is there; a dollar sign in a name is no formula."""
    letters = _LETTERS if size < 10 else 110
    short = text if len(text) <= letters else text[: letters - 1] + "…"
    place = (left / figure.get_figwidth(), top / figure.get_figheight())
    figure.text(*place, short, va="top", ha="left", fontsize=size, color=colour, parse_math=False)
