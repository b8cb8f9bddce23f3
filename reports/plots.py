"""The drawings of a report. Each takes numbers in SI and gives inline SVG (see `canvas`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from bench.units import quantity, scale
from reports import canvas
from reports.canvas import FOREGROUND, LINES, MARKERS, SERIES

#: More lines than this cannot be told apart; whoever calls chooses them and says what was left out.
MOST_SERIES = len(SERIES)
#: More rows than this make a bar chart longer than a page.
MOST_ROWS = 16
ROW = 19.0
LEGEND_ROW = 16.0


@dataclass(frozen=True)
class Line:
    """One series: x, y and, where they are known, the bounds of y; `look` numbers its colour, marker and dashes.

    `signs` holds for each value the sign of doubt that stands above it, or nothing; empty for none at all.
    """

    label: str
    look: int
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    signs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stack:
    """One row of counted parts, in bytes, beside the measured peak or the words that stand for it.

    `tracked` is what a tracker saw in all, where there was one.
    """

    label: str
    parts: tuple[float, ...]
    measured: float | None
    words: str = ""
    tracked: float | None = None

    @property
    def widest(self) -> float:
        """How far the row reaches, in bytes."""
        return max(sum(self.parts), self.measured or 0, self.tracked or 0)


def lines(title: str, series: Sequence[Line], x_label: str, unit: str) -> str:
    """Series against a value that doubles: x in powers of 2, y logarithmic, whiskers for the intervals."""
    with canvas.style():
        columns, legend_rows = legend_shape([line.label for line in series])
        figure, axes = canvas.panel(220 + legend_rows * LEGEND_ROW, left=44, bottom=40 + legend_rows * LEGEND_ROW)
        for line in series:
            _draw_line(axes, line)
        axes.set_xscale("log", base=2)
        _x_values(axes, sorted({x for line in series for x in line.x}))
        name = log_ticks(axes.yaxis, [y for line in series for y in (*line.y, *line.low, *line.high) if y], unit)
        titles(axes, f"{title}, {name}", x_label)
        legend(axes, [_handle(line.label, line.look) for line in series], columns)
        return canvas.svg(figure)


def _draw_line(axes: Axes, line: Line) -> None:
    marker, dashes, colour = look(line.look)
    below = [0.0 if low is None else max(y - low, 0) for y, low in zip(line.y, line.low, strict=True)]
    above = [0.0 if high is None else max(high - y, 0) for y, high in zip(line.y, line.high, strict=True)]
    axes.errorbar(
        line.x, line.y, yerr=[below, above], color=colour, marker=marker, linestyle=dashes,
        markersize=5, linewidth=1.5, elinewidth=1, capsize=2.5,
    )  # fmt: skip
    for x, y, sign in zip(line.x, line.y, line.signs or [""] * len(line.x), strict=True):
        if sign:
            # Beside the mark: above and below it runs the whisker.
            axes.annotate(sign, (x, y), xytext=(5, 3), textcoords="offset points", fontweight="bold")


def look(index: int) -> tuple[str, Any, str]:
    """Marker, dashes and colour of the series of that number; colours that come again do so with another marker."""
    turn, place = divmod(index, MOST_SERIES)
    other = (place + turn) % MOST_SERIES
    return MARKERS[other], LINES[other], SERIES[place]


def _handle(label: str, index: int) -> Line2D:
    marker, dashes, colour = look(index)
    return Line2D([], [], color=colour, marker=marker, linestyle=dashes, markersize=5, linewidth=1.5, label=label)


def _x_values(axes: Axes, values: Sequence[float]) -> None:
    """A tick at each value that was measured; every second one where there are too many to read."""
    step = math.ceil(len(values) / 9)
    axes.xaxis.set_major_locator(FixedLocator(list(values[::step])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if len(values) == 1:
        axes.set_xlim(values[0] / 2, values[0] * 2)


def log_ticks(axis: Axis, values: Sequence[float], unit: str) -> str:
    """Make `axis` logarithmic, with at least three ticks at round values and not many more; the name of their unit."""
    factor, name = scale(values, unit)
    low, high = min(values), max(values)
    # At least a factor of 3 from end to end: noise of 1 % should not fill the panel.
    room = max(math.sqrt(3 / (high / low)), 1.12)
    if isinstance(axis, XAxis):
        axis.axes.set_xscale("log")
        axis.axes.set_xlim(low / room, high * room)
    else:
        axis.axes.set_yscale("log")
        axis.axes.set_ylim(low / room, high * room)
    axis.set_major_locator(FixedLocator(_round_values(low / room, high * room)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:,g}"))
    return name


def _round_values(low: float, high: float) -> list[float]:
    """Round values between the bounds from the coarsest grid that has three of them."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        found = [step * 10.0**power for power in decades for step in steps if low <= step * 10.0**power <= high]
        if len(found) >= 3:
            break
    return found


def stacks(title: str, parts: Sequence[str], rows: Sequence[Stack]) -> str:
    """Horizontal bars of counted parts, pale, a stroke at what was tracked, a diamond and its value at the peak."""
    with canvas.style():
        shown = row_labels([row.label for row in rows])
        left = max(map(canvas.width, shown)) + 10
        marks = [_stroke("tracked in all")] if any(row.tracked is not None for row in rows) else []
        bars = [_patch(part, i) for i, part in enumerate(parts)]
        handles: list[Line2D | Patch] = [*bars, *marks, _diamond("measured peak")]
        columns, legend_rows = legend_shape([str(handle.get_label()) for handle in handles])
        bottom = 38 + legend_rows * LEGEND_ROW
        figure, axes = canvas.panel(len(rows) * ROW + bottom + 26, left=left, bottom=bottom)
        factor, name = scale([row.widest for row in rows], "B")
        for place, row in enumerate(rows):
            _draw_stack(axes, row, place, factor)
        axes.set_xlim(0, max(row.widest for row in rows) / factor * 1.34)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        name_rows(axes, shown)
        titles(axes, title, name)
        legend(axes, handles, columns)
        return canvas.svg(figure)


def _draw_stack(axes: Axes, row: Stack, place: int, factor: float) -> None:
    start = 0.0
    for index, part in enumerate(row.parts):
        colour = SERIES[index % MOST_SERIES]
        axes.barh(place, part / factor, 0.6, left=start, facecolor=(colour, 0.3), edgecolor=colour, linewidth=0.8)
        start += part / factor
    if row.tracked is not None:
        axes.plot(row.tracked / factor, place, marker="|", color=FOREGROUND, markersize=14, markeredgewidth=1.6)
    if row.measured is not None:
        axes.plot(row.measured / factor, place, marker="D", color=FOREGROUND, markersize=5)
    words = row.words if row.measured is None else quantity(row.measured, "B")
    end = (row.widest / factor, place)
    axes.annotate(words, end, xytext=(7, 0), textcoords="offset points", va="center", fontsize=9.5)


def _patch(label: str, index: int) -> Patch:
    colour = SERIES[index % MOST_SERIES]
    return Patch(facecolor=(colour, 0.3), edgecolor=colour, label=label)


def _diamond(label: str) -> Line2D:
    return Line2D([], [], color=FOREGROUND, marker="D", linestyle="", markersize=5, label=label)


def _stroke(label: str) -> Line2D:
    return Line2D([], [], color=FOREGROUND, marker="|", linestyle="", markersize=10, markeredgewidth=1.6, label=label)


def loss_curve(train: Sequence[float], held_out: Sequence[float]) -> str:
    """Loss (cross-entropy, nats a token) after each epoch, on the training text and on text that was held out.

    Raises ValueError where there is no epoch, or not one value of each for every epoch.
    """
    if not train or len(train) != len(held_out):
        raise ValueError("one loss of each kind is needed for every epoch")
    epochs = range(1, len(train) + 1)
    with canvas.style():
        figure, axes = canvas.panel(250, left=44, bottom=56)
        handles = [_handle("training text", 0), _handle("held-out text", 1)]
        for losses, handle in zip((train, held_out), handles, strict=True):
            axes.plot(
                epochs, losses, color=handle.get_color(), marker=handle.get_marker(),
                linestyle=handle.get_linestyle(), markersize=5, linewidth=1.5,
            )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlim(0.7, len(train) + 0.3)
        titles(axes, "Loss, nats per token", "epoch")
        legend(axes, handles, 2)
        return canvas.svg(figure)


def titles(axes: Axes, title: str, x_label: str) -> None:
    """The title names the vertical axis too: text that lies flat is read more easily than text that stands."""
    axes.set_title(title, loc="left", fontsize=canvas.FONT_SIZE, fontweight="bold", pad=9, x=0)
    axes.set_xlabel(x_label)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Rows from the top down at 0, 1, ..., each with its name on the left."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def row_labels(names: Sequence[str]) -> list[str]:
    """The names, cut in their middle where they are too long for a margin: what tells rows apart often stands last."""
    most = 26
    return [name if len(name) <= most else f"{name[:12].rstrip(' ,')}…{name[-13:].lstrip(' ,')}" for name in names]


def legend_shape(names: Sequence[str]) -> tuple[int, int]:
    """Columns and rows of a legend under the axes: as many columns as the longest name allows."""
    widest = max(map(canvas.width, names)) + 36
    columns = max(min(int((canvas.WIDTH - 10) // widest), len(names), 4), 1)
    return columns, math.ceil(len(names) / columns)


def legend(axes: Axes, handles: Sequence[Line2D | Patch], columns: int) -> None:
    """Draw the legend in the room that was left for it at the foot of the figure."""
    figure = axes.get_figure()
    assert figure is not None
    names = [str(handle.get_label()) for handle in handles]
    # matplotlib hides a name that begins with an underscore; a space in front of it is not seen.
    shown = [f" {name}" if name.startswith("_") else name for name in names]
    figure.legend(
        handles, shown, loc="lower left", bbox_to_anchor=(0, 0), ncols=columns, fontsize=canvas.FONT_SIZE - 0.5,
        columnspacing=1.4, handlelength=2.4, borderaxespad=0.2, labelspacing=0.3,
    )  # fmt: skip
