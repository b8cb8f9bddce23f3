"""A metric over the runs: each with its interval, the level between changes as steps, a drift as a line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.units import scale
from reports import canvas
from reports.canvas import FOREGROUND, MUTED, SERIES
from reports.plots import LEGEND_ROW, legend, legend_shape

#: The panel spans at least this share of the values: noise of 1 % should not fill it.
_LEAST_SPAN = 0.2
_NAMED_SIZE = 9.5
_LEFT, _RIGHT, _HEIGHT = 48, 14, 136


@dataclass(frozen=True)
class Mark:
    """A change before run `x` (runs count from 1), with the words that stand above it."""

    x: float
    words: str


@dataclass(frozen=True)
class Level:
    """A stretch of runs from `x` to `x`, with the values at its ends: alike for a level, not for a drift."""

    x: tuple[float, float]
    y: tuple[float, float]


@dataclass(frozen=True)
class Past:
    """One trend: run numbers, values in SI with their bounds, and what was found in them."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    levels: tuple[Level, ...]
    marks: tuple[Mark, ...]
    drifts: bool


def past(title: str, trend: Past, unit: str, runs: int) -> str:
    """The values over `runs` runs, with a range that shows noise as small; a hollow mark has no interval."""
    with canvas.style():
        handles = _handles(trend)
        columns, legend_rows = legend_shape([str(handle.get_label()) for handle in handles])
        bottom = 40 + legend_rows * LEGEND_ROW
        # Words of changes stand between the title and the panel.
        top = 42 if trend.marks else 26
        figure, axes = canvas.panel(_HEIGHT + top + bottom, left=_LEFT, bottom=bottom, top=top, right=_RIGHT)
        factor, name = scale(trend.y, unit)
        for place in range(len(trend.x)):
            _draw_value(axes, trend, place)
        for level in trend.levels:
            axes.plot(level.x, level.y, color=SERIES[1], linewidth=2.2, linestyle="--" if trend.drifts else "-")
        _limits(axes, trend, runs)
        _draw_marks(axes, trend.marks, runs)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:,.4g}"))
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel("run, the oldest first")
        axes.set_title(
            f"{title}, {name}" if name else title, loc="left", fontsize=canvas.FONT_SIZE, fontweight="bold",
            x=-_LEFT / (canvas.WIDTH - _LEFT - _RIGHT), pad=top - 17,
        )  # fmt: skip
        legend(axes, handles, columns)
        return canvas.svg(figure)


def _draw_value(axes: Axes, trend: Past, place: int) -> None:
    low, high, x, y = trend.low[place], trend.high[place], trend.x[place], trend.y[place]
    known = low is not None and high is not None
    if low is not None and high is not None:
        axes.plot([x, x], [low, high], color=SERIES[0], linewidth=1.2, solid_capstyle="butt")
    axes.plot(x, y, marker="o", color=SERIES[0], markersize=4.5, fillstyle="full" if known else "none")


def _limits(axes: Axes, trend: Past, runs: int) -> None:
    """From 1 to the last run, and from the least to the largest bound with some room."""
    bounds = [*trend.y, *(bound for bound in (*trend.low, *trend.high) if bound is not None)]
    low, high = min(bounds), max(bounds)
    middle = (low + high) / 2
    half = max(high - low, _LEAST_SPAN * middle) * 0.54
    axes.set_ylim(middle - half, middle + half)
    axes.set_xlim(0.4, max(runs, 2) + 0.6)


def _draw_marks(axes: Axes, marks: Sequence[Mark], runs: int) -> None:
    """A dotted rule for each change, and its words above the panel where those of its neighbours leave room."""
    width = canvas.WIDTH - _LEFT - _RIGHT
    free = -math.inf
    for mark in marks:
        axes.axvline(mark.x - 0.5, color=MUTED, linewidth=1.2, linestyle=":")
        half = canvas.width(mark.words) * _NAMED_SIZE / canvas.FONT_SIZE / 2
        middle = min(max((mark.x - 0.5) / max(runs, 2) * width, half), width - half)
        if middle - half >= free:
            axes.annotate(
                mark.words, (middle / width, 1), xycoords="axes fraction", xytext=(0, 3),
                textcoords="offset points", ha="center", va="bottom", fontsize=_NAMED_SIZE, color=FOREGROUND,
            )  # fmt: skip
            free = middle + half + 4


def _handles(trend: Past) -> list[Line2D]:
    told = "drift" if trend.drifts else "median of a level"
    found = [
        Line2D([], [], color=SERIES[0], marker="o", markersize=4.5, linewidth=1.2, label="one run"),
        Line2D([], [], color=SERIES[1], linewidth=2.2, linestyle="--" if trend.drifts else "-", label=told),
    ]
    if trend.marks:
        found.append(Line2D([], [], color=MUTED, linewidth=1.2, linestyle=":", label="change"))
    return found
