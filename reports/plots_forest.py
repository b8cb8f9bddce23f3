"""Values with their intervals, a row each: ratios around 1 as a forest plot, other values as a dot plot."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reports import canvas
from reports.canvas import FOREGROUND, GRID, MUTED
from reports.plots import LEGEND_ROW, ROW, legend, legend_shape, log_ticks, look, name_rows, row_labels, titles


@dataclass(frozen=True)
class Row:
    """One value and its interval. Rows of one group stand together; those of one `look` are drawn alike."""

    label: str
    group: str
    look: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rule:
    """A ratio that matters to all rows, such as a limit: a line across them, with its words in the legend."""

    label: str
    ratio: float
    dashes: Literal["--", ":"]


def forest(title: str, rows: Sequence[Row], x_label: str, rules: Sequence[Rule] = ()) -> str:
    """One row a ratio with its interval, on a logarithmic scale around a line at 1; a hollow mark has no interval.

    Rows of one group carry the same `look`, here and in other panels.
    """
    with canvas.style():
        shown = row_labels([row.label for row in rows])
        groups = {row.group: row.look for row in rows}
        columns, legend_rows = legend_shape([*groups, *(rule.label for rule in rules)])
        bottom = 38 + legend_rows * LEGEND_ROW
        left = max(map(canvas.width, shown)) + 10
        figure, axes = canvas.panel(len(rows) * ROW + bottom + 26, left=left, bottom=bottom)
        axes.axvline(1, color=MUTED, linewidth=1.2)
        for rule in rules:
            axes.axvline(rule.ratio, color=FOREGROUND, linewidth=1, linestyle=rule.dashes)
        for place, row in enumerate(rows):
            _draw_row(axes, row, place)
            if place and row.group != rows[place - 1].group:
                axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
        bounds = [bound for row in rows for bound in (row.value, row.low, row.high) if bound]
        ratio_ticks(axes, [*bounds, *(rule.ratio for rule in rules)])
        name_rows(axes, shown)
        titles(axes, title, x_label)
        legend(axes, [*(_mark(group, look) for group, look in groups.items()), *map(_line, rules)], columns)
        return canvas.svg(figure)


def _draw_row(axes: Axes, row: Row, place: int) -> None:
    marker, _, colour = look(row.look)
    if row.low is not None and row.high is not None:
        axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(row.value, place, marker=marker, color=colour, markersize=5)
    else:
        axes.plot(row.value, place, marker=marker, color=colour, markersize=6, fillstyle="none")


def _mark(label: str, index: int) -> Line2D:
    marker, _, colour = look(index)
    return Line2D([], [], color=colour, marker=marker, linestyle="-", linewidth=2.2, markersize=6, label=label)


def _line(rule: Rule) -> Line2D:
    return Line2D([], [], color=FOREGROUND, linestyle=rule.dashes, linewidth=1, label=rule.label)


def ratio_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Round ratios on both sides of 1, as many as can be written beside each other."""
    low, high = min([*values, 0.9]) / 1.04, max([*values, 1.1]) * 1.04
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    grids = (
        [1 + step / 20 for step in range(-6, 7)],
        [1 + step / 10 for step in range(-6, 11)],
        [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3],
        [0.25, 0.35, 0.5, 0.7, 1, 1.5, 2, 3, 4],
        [10.0**power * step for power in range(-4, 5) for step in (1, 2, 5)],
        [10.0**power for power in range(-9, 10)],
    )
    inside = [[tick for tick in grid if low <= tick <= high] for grid in grids]
    # A grid that stops short of the bounds would leave part of the scale bare: 0.25 to 3 is the third one's reach.
    fitting = [
        ticks
        for ticks, reach in zip(inside, (1.3, 2, 3, 5, 1e5, 1e10), strict=True)
        if high <= reach and _apart(ticks, math.log(high / low), axes.get_position().width * canvas.WIDTH)
    ]
    axes.xaxis.set_major_locator(FixedLocator(fitting[0] if fitting else [1]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))


def _apart(ticks: Sequence[float], span: float, points: float) -> bool:
    """Whether the labels of ticks do not touch on a log axis that spans `span` in ln and takes so many `points`."""
    room = span * (canvas.width("1.05×") + 3) / points
    return all(math.log(after / before) >= max(room, span / 8) for before, after in pairwise(ticks))


def dots(title: str, rows: Sequence[Row], unit: str, x_label: str, wanted: str) -> str:
    """One row a value with its interval, on a logarithmic scale in `unit`; `wanted` says which way is better.

    A rule separates the groups. Rows of one thing carry the same `look` in every group and panel.
    """
    with canvas.style():
        shown = row_labels([row.label for row in rows])
        left = max(map(canvas.width, shown)) + 10
        figure, axes = canvas.panel(len(rows) * ROW + 66, left=left, bottom=40)
        bounds = [bound for row in rows for bound in (row.value, row.low, row.high) if bound]
        name = log_ticks(axes.xaxis, bounds, unit)
        for place, row in enumerate(rows):
            marker, _, colour = look(row.look)
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(row.value, place, marker=marker, color=colour, markersize=6)
            if place and row.group != rows[place - 1].group:
                axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
        name_rows(axes, shown)
        titles(axes, title, f"{x_label}, {name}: {wanted}" if name else f"{x_label}: {wanted}")
        return canvas.svg(figure)
