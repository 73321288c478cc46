"""Learning curves of a job as a picture: each loss and metric by epoch, and the learning rate."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

_WIDTH, _ROW_HEIGHT, _HEAD_HEIGHT, _DPI = 12.0, 3.1, 0.5, 100
"""Inches, and dots an inch: 1,200 pixels wide."""
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.85, 0.2, 0.6, 0.4
"""Inches of a panel for its labels and title."""
_COLUMNS = 3
_PANELS = 30
"""Losses and metrics beyond so many are left out, and the title says so."""
_COLOURS = {"train": "#1f6f9f", "valid": "#d9542b"}
_RATE_COLOUR = "#4a4a4a"
_LOG_FROM = 50.0
"""Where the largest value is so many times the smallest, a logarithmic scale shows more."""

Series = Mapping[str, list[float]]
"""{line: one number an epoch}; NaN where there is none."""


def learning_curves(events: Iterable[Mapping[str, Any]], title: str, best_epoch: int | None) -> bytes | None:
    """A PNG of the epochs among a job's events; None where there is none.

    An epoch that was trained again, after a crash, counts once. ``best_epoch`` gets a mark.
    """
    by_number = {event["epoch"]: event for event in events if event["type"] == "epoch"}
    if not by_number:
        return None
    epochs = [by_number[number] for number in sorted(by_number)]
    numbers = sorted(by_number)
    panels = [*_panels(epochs, "losses"), *_panels(epochs, "metrics")]
    left_out = len(panels) - _PANELS
    if left_out > 0:
        panels = panels[:_PANELS]
        title = f"{title} ({left_out} more not shown)"
    rate = [_number(epoch["learning_rate"]) for epoch in epochs]
    panels.append(("learning rate", "rate", {"rate": rate}))

    columns = min(_COLUMNS, len(panels)) if len(panels) != 4 else 2
    rows = math.ceil(len(panels) / columns)
    figure = Figure((_WIDTH, _HEAD_HEIGHT + _ROW_HEIGHT * rows), dpi=_DPI)
    for position, (name, unit, series) in enumerate(panels):
        axes = figure.add_axes(_place(position, rows, columns, figure))
        _draw(axes, numbers, name, unit, series, best_epoch)
    _head(figure, title, {line for _, _, series in panels for line in series}, best_epoch in by_number)
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)  # type: ignore[no-untyped-call]
    return picture.getvalue()


def _place(position: int, rows: int, columns: int, figure: Figure) -> tuple[float, float, float, float]:
    """Where a panel's axes stand, in shares of the figure. To measure every text would take as long again."""
    height = figure.get_figheight()
    row, column = divmod(position, columns)
    width = (_WIDTH - _RIGHT) / columns
    below = (rows - 1 - row) * _ROW_HEIGHT + _BOTTOM
    return (
        (column * width + _LEFT) / _WIDTH,
        below / height,
        (width - _LEFT) / _WIDTH,
        (_ROW_HEIGHT - _BOTTOM - _TOP) / height,
    )


def _panels(epochs: list[Mapping[str, Any]], group: str) -> list[tuple[str, str, Series]]:
    """Name, unit and lines of each loss or metric, in the order in which they came."""
    names = dict.fromkeys(name for epoch in epochs for found in epoch[group].values() for name in found)
    if group == "losses" and len(names) == 2 and "total" in names and "total_unweighted" not in names:
        # One term: what it is called says more than that it is all.
        names.pop("total")
    panels: list[tuple[str, str, Series]] = []
    for name in names:
        series = {
            split: [_number(epoch[group].get(split, {}).get(name)) for epoch in epochs] for split in _COLOURS
        }
        seen = {split: values for split, values in series.items() if not all(map(math.isnan, values))}
        panels.append((name, {"losses": "loss", "metrics": "metric"}[group], seen))
    return panels


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _draw(
    axes: Axes, numbers: list[int], name: str, unit: str, series: Series, best_epoch: int | None
) -> None:
    marker = "o" if len(numbers) <= 30 else ""
    for line, values in series.items():
        colour = _COLOURS.get(line, _RATE_COLOUR)
        style = "--" if line == "valid" else "-"
        axes.plot(numbers, values, style, color=colour, marker=marker, markersize=3, linewidth=1.6)
    known = [value for values in series.values() for value in values if not math.isnan(value)]
    if known and min(known) > 0 and max(known) > _LOG_FROM * min(known):
        axes.set_yscale("log")
    if best_epoch in numbers and best_epoch is not None:
        axes.axvline(best_epoch, color="#999999", linestyle=":", linewidth=1.2, zorder=0)
    axes.set_title(_short(name, 36), loc="left", fontsize=11, fontweight="bold")
    axes.set_xlabel("epoch", fontsize=9)
    axes.set_ylabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    if len(numbers) == 1:
        axes.set_xlim(numbers[0] - 0.5, numbers[0] + 0.5)


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _head(figure: Figure, title: str, lines: set[str], best: bool) -> None:
    """The title, and one legend for all panels."""
    names: list[tuple[str, Callable[[], Line2D]]] = [
        ("train", lambda: Line2D([], [], color=_COLOURS["train"], linewidth=1.6)),
        ("valid", lambda: Line2D([], [], color=_COLOURS["valid"], linewidth=1.6, linestyle="--")),
    ]
    shown = [(name, make()) for name, make in names if name in lines]
    if best:
        shown.append(("best epoch", Line2D([], [], color="#999999", linestyle=":", linewidth=1.2)))
    # A dollar sign in a name is no formula.
    top = 1 - 0.12 / figure.get_figheight()
    figure.suptitle(_short(title, 75), x=0.015, y=top, ha="left", fontsize=13, parse_math=False)
    figure.legend(
        [line for _, line in shown],
        [name for name, _ in shown],
        loc="upper right",
        bbox_to_anchor=(1, 1),
        ncols=len(shown),
        frameon=False,
        fontsize=10,
    )
