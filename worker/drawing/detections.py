"""What a detector found, as pictures: images with boxes on them, and curves of precision and recall."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

_WIDTH, _COLUMNS, _DPI, _MARGIN, _TITLE, _LEGEND, _NAME = 12.0, 3, 100, 0.15, 0.35, 0.3, 0.25
"""Inches, but for the count of images side by side and dots an inch."""
_RATIO = 2.0
"""No image is drawn higher than so many times its width."""
_TRUE = "white"
_LISTED = 12
"""Classes beyond so many are not in the legend, and their curves are not drawn."""
_CLUTTER = 25
"""Of an image with more boxes than these, the boxes have no label: their colour says the class."""

Array = npt.NDArray[Any]


def detections(found: Mapping[str, Array], which: str, title: str) -> bytes:
    """A PNG of detections.npz, as trainer/detection/seen.py wrote it.

    ``which`` is ``after`` or ``before``: what was detected, or all that was sure enough before suppression.
    Boxes are solid in their class's colour, what is annotated dashed in black and white (difficult: dotted).
    """
    images = found["image"]
    high, wide = images.shape[2:]
    across = (_WIDTH - 2 * _MARGIN) / _COLUMNS
    tile = min(high / wide, _RATIO) * (across - _MARGIN)
    lines = -(-len(images) // _COLUMNS)
    height = 2 * _MARGIN + _TITLE + _LEGEND + lines * (tile + _NAME)
    figure = Figure((_WIDTH, height), dpi=_DPI)
    what = {"after": "detections", "before": "detections before suppression"}[which]
    _write(figure, _MARGIN, height - _MARGIN, f"{title}: {what} of a score from {found['sure']:g} on", 13)
    _legend(figure, found, height - _MARGIN - _TITLE)
    top = height - _MARGIN - _TITLE - _LEGEND
    for number in range(len(images)):
        line, column = divmod(number, _COLUMNS)
        left, upper = _MARGIN + column * across, top - line * (tile + _NAME)
        _write(figure, left, upper, _caption(found, number, which), 8)
        place = (
            left / _WIDTH,
            (upper - _NAME - tile + 0.08) / height,
            (across - _MARGIN) / _WIDTH,
            tile / height,
        )
        axes = figure.add_axes(place)
        _image(axes, images[number])
        _boxes(axes, found, number, which)
    return _png(figure)


def precision_recall(found: Mapping[str, Array], title: str) -> bytes | None:
    """A PNG with a curve a class at an overlap of 0.5; None where nothing is annotated."""
    if "curves" not in found or not np.isfinite(found["averages"]).any():
        return None
    figure = Figure((7.5, 6.0), dpi=_DPI)
    axes = figure.add_axes((0.1, 0.1, 0.86, 0.8))
    left_out = 0
    for number, name in enumerate(found["classes"].tolist()):
        every, eleven = found["averages"][number]
        if not np.isfinite(every):
            continue
        if number >= _LISTED:
            left_out += 1
            continue
        _, recall, precision = found["curves"][found["curves"][:, 0] == number].T
        # What was never found has no precision: the curve ends where the recall does.
        label = _short(f"{name}: AP {every:.3f} (11 points {eleven:.3f})", 60)
        axes.plot(recall, precision, color=_colour(number), linewidth=1.6, label=label)
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for text in axes.legend(loc="lower left", fontsize=9, framealpha=0.9).get_texts():
        text.set_parse_math(False)
    mean = np.nanmean(found["averages"][:, 0])
    more = f" ({left_out} more classes not shown)" if left_out else ""
    _write(
        figure, _MARGIN, 6.0 - _MARGIN, f"{title}: mean average precision at 0.5 overlap {mean:.3f}{more}", 12
    )
    return _png(figure)


def _caption(found: Mapping[str, Array], number: int, which: str) -> str:
    name = str(found["name"][number]) or f"row {found['row'][number]}"
    told = f"{len(_of(found, which, number))} detected"
    if "true" in found:
        told += f", {len(_of(found, 'true', number))} annotated"
    return f"{name[-40:]}: {told}"


def _of(found: Mapping[str, Array], which: str, number: int) -> Array:
    """The lines of one image: x1, y1, x2, y2, class, score."""
    lines: Array = found[which][found[which][:, 0] == number][:, 1:]
    return lines


def _image(axes: Axes, image: Array) -> None:
    shown = np.moveaxis(image, 0, -1) if image.shape[0] == 3 else image[0]
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="equal")
    axes.set_axis_off()


def _boxes(axes: Axes, found: Mapping[str, Array], number: int, which: str) -> None:
    said = _of(found, which, number)
    # The surest is drawn last, above the others.
    for x1, y1, x2, y2, kind, score in said[::-1]:
        colour = _colour(int(kind))
        _rectangle(axes, (x1, y1, x2, y2), colour, "-", 1.3)
        if len(said) <= _CLUTTER:
            text = axes.text(x1, y1, f"{score:.2f}", fontsize=6, va="bottom", ha="left", color="white")
            text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 0.8})
            text.set_clip_on(True)
    for x1, y1, x2, y2, _, ordinary in _of(found, "true", number) if "true" in found else ():
        # Black below, or nobody would see it on what is bright.
        _rectangle(axes, (x1, y1, x2, y2), "black", "-", 1.0)
        _rectangle(axes, (x1, y1, x2, y2), _TRUE, "--" if ordinary else ":", 1.0)


def _rectangle(
    axes: Axes, box: tuple[float, float, float, float], colour: Any, style: str, width: float
) -> None:
    x1, y1, x2, y2 = box
    # A pixel's middle is its number, its edges half before and behind.
    axes.add_patch(
        Rectangle(
            (x1 - 0.5, y1 - 0.5),
            x2 - x1,
            y2 - y1,
            fill=False,
            edgecolor=colour,
            linestyle=style,
            linewidth=width,
        )
    )


def _legend(figure: Figure, found: Mapping[str, Array], top: float) -> None:
    names = found["classes"].tolist()
    handles = [Line2D([], [], color=_colour(k), linewidth=2) for k in range(min(len(names), _LISTED))]
    labels = [_short(name, 24) for name in names[:_LISTED]]
    if len(names) > _LISTED:
        labels[-1] += f" (and {len(names) - _LISTED} more)"
    if "true" in found:
        handles.append(Line2D([], [], color="#888888", linestyle="--", linewidth=1.2))
        labels.append("annotated")
    legend = figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0.0, (top + 0.1) / figure.get_figheight()),
        ncols=len(handles),
        frameon=False,
        fontsize=9,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _colour(number: int) -> tuple[float, float, float]:
    colours: Any = matplotlib.colormaps["tab10"]
    red, green, blue = colours(number % 10)[:3]
    return red, green, blue


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _write(figure: Figure, left: float, top: float, text: str, size: int) -> None:
    """A line of text whose upper left corner is there; a dollar sign in a name is no formula."""
    place = (left / figure.get_figwidth(), top / figure.get_figheight())
    figure.text(*place, _short(text, 110), va="top", ha="left", fontsize=size, parse_math=False)


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()
