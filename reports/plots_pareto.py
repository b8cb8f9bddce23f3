"""Quality against speed as a picture: a disc a variant, its area the stored bytes, and the front."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from reports import canvas, placement
from reports.canvas import FOREGROUND, MUTED, SERIES
from reports.placement import Anchor, Box
from reports.plots_forest import ratio_ticks

#: More discs than this leave no room for their labels.
MOST_DISCS = 10
#: Points: the radius of the disc with the most stored bytes.
_RADIUS = 11.0
_LABEL_SIZE = 10.0
_LABEL_HEIGHT = 12.0
#: Characters of a label's row; a longer name takes several of them.
_LABEL_WIDTH = 30
#: Points between a label and the axes.
_INSET = 4.0
#: A label farther from its disc than this has a line to it.
_NEAR = 8.0
#: Differences of ln perplexity up to this (1 % of perplexity) are drawn to scale, larger ones by their logarithm.
_LINEAR = 0.01
#: Differences up to this are all drawn to scale: a logarithm would only bend them.
_BEND = 0.1


@dataclass(frozen=True)
class Disc:
    """One variant: x how many times as fast it is, y its quality, each with its interval if known; its stored bytes."""

    label: str
    x: float
    y: float
    x_interval: tuple[float, float] | None
    y_interval: tuple[float, float] | None
    size_B: float
    on_front: bool


def pareto(title: str, discs: Sequence[Disc], x_label: str, y_label: str, *, differences: bool) -> str:
    """Discs with direct labels; those on the front are filled and joined by steps, the others faded.

    x is logarithmic, with a line at 1. y is drawn to scale, or, for `differences` from 0 of which some are large, to
    scale near 0 and logarithmically beyond. The front bounds what can be had from the faster and better side.
    """
    with canvas.style():
        figure, axes = canvas.panel(292, left=48, bottom=40, top=44)
        ratio_ticks(axes, _with_room([disc.x for disc in discs]))
        axes.axvline(1, color=MUTED, linewidth=1.2, zorder=1)
        _quality_axis(axes, [disc.y for disc in discs], differences)
        axes.plot(*zip(*_front_steps(discs), strict=True), color=SERIES[0], linewidth=1.4, zorder=1.5)
        largest = max(disc.size_B for disc in discs)
        radii = [_RADIUS * math.sqrt(disc.size_B / largest) for disc in discs]
        for disc, radius in zip(discs, radii, strict=True):
            _draw(axes, disc, radius)
        _label(axes, discs, radii)
        heading = canvas.shorten(title, 48)
        axes.set_title(heading, loc="left", fontsize=canvas.FONT_SIZE, fontweight="bold", pad=26, x=0)
        axes.set_xlabel(x_label)
        axes.annotate(y_label, (0, 1), xytext=(0, 9), xycoords="axes fraction", textcoords="offset points")
        return canvas.svg(figure)


def _with_room(values: Sequence[float]) -> list[float]:
    """The values, and as much beyond the outermost of them as a disc takes there."""
    low, high = min(*values, 0.95), max(*values, 1.05)
    room = (high / low) ** 0.06
    return [*values, low / room, high * room]


def _draw(axes: Axes, disc: Disc, radius: float) -> None:
    colour, alpha = (SERIES[0], 0.5) if disc.on_front else (MUTED, 0.12)
    if disc.x_interval:
        axes.plot(disc.x_interval, (disc.y, disc.y), color=colour, linewidth=0.8, alpha=0.7, zorder=1.8)
    if disc.y_interval:
        axes.plot((disc.x, disc.x), disc.y_interval, color=colour, linewidth=0.8, alpha=0.7, zorder=1.8)
    axes.plot(
        disc.x, disc.y, marker="o", linestyle="", markersize=2 * radius, zorder=2,
        markerfacecolor=(colour, alpha), markeredgecolor=colour, markeredgewidth=1.0,
    )  # fmt: skip


def _label(axes: Axes, discs: Sequence[Disc], radii: Sequence[float]) -> None:
    """Each label beside its disc, with a line to it where it had to stand away."""
    at = canvas.places(axes, [(disc.x, disc.y) for disc in discs])
    shown = [textwrap.wrap(disc.label, _LABEL_WIDTH, max_lines=3, placeholder="…") for disc in discs]
    anchors = [
        Anchor(x, y, radius, max(map(canvas.width, rows)) * _LABEL_SIZE / canvas.FONT_SIZE, _LABEL_HEIGHT * len(rows))
        for (x, y), radius, rows in zip(at, radii, shown, strict=True)
    ]
    left, bottom, right, top = canvas.edges(axes)
    frame = Box(left + _INSET, bottom + _INSET, right, top)
    placed = placement.place(anchors, frame, _lines(axes, discs), _whiskers(axes, discs))
    for rows, disc, anchor, box in zip(shown, discs, anchors, placed, strict=True):
        if box is not None:
            _write(axes, "\n".join(rows), anchor, box, FOREGROUND if disc.on_front else MUTED)


def _lines(axes: Axes, discs: Sequence[Disc]) -> list[Box]:
    """The steps of the front, and the plain model's speed, as boxes without thickness."""
    plain = canvas.places(axes, [(1.0, bound) for bound in axes.get_ylim()])
    ends = [*pairwise(canvas.places(axes, _front_steps(discs))), (plain[0], plain[1])]
    return [Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in ends]


def _whiskers(axes: Axes, discs: Sequence[Disc]) -> list[Box]:
    spans = [canvas.places(axes, [(x, disc.y) for x in disc.x_interval]) for disc in discs if disc.x_interval]
    return [Box(low[0], low[1], high[0], high[1]) for low, high in spans]


def _front_steps(discs: Sequence[Disc]) -> list[tuple[float, float]]:
    """The corners of the front from its slowest member: a rate can be had with the quality of the next faster one."""
    front = sorted((disc.x, disc.y) for disc in discs if disc.on_front)
    corners = [[(before[0], after[1]), after] for before, after in pairwise(front)]
    return [front[0], *chain.from_iterable(corners)]


def _write(axes: Axes, text: str, anchor: Anchor, box: Box, colour: str) -> None:
    end = (min(max(anchor.x, box.left), box.right), min(max(anchor.y, box.bottom), box.top))
    away = math.dist(end, (anchor.x, anchor.y))
    if away > anchor.radius + _NEAR:
        part = anchor.radius / away
        start = (anchor.x + (end[0] - anchor.x) * part, anchor.y + (end[1] - anchor.y) * part)
        axes.annotate(
            "", end, xytext=start, xycoords="figure points", textcoords="figure points",
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
    canvas.write(axes, text, anchor, box, _LABEL_SIZE, colour)


def _quality_axis(axes: Axes, values: Sequence[float], differences: bool) -> None:
    """Room around the values, and round ticks; noise alone should not fill the panel."""
    low, high = min(values), max(values)
    if differences and max(abs(low), abs(high)) > _BEND:
        axes.set_yscale("symlog", linthresh=_LINEAR, linscale=1.0)
        bottom, top = min(low * 2, -_LINEAR), max(high * 4, _LINEAR)
        axes.set_ylim(bottom, top)
        decades = [10.0**power for power in range(-2, 4)]
        ticks = [0.0, *decades, *(-decade for decade in decades)]
        axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if bottom <= tick <= top]))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        span = max(high - low, _LINEAR)
        axes.set_ylim(low - 0.25 * span, low + 1.25 * span)
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    sign = "+" if differences else ""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, sign)))


def _tick(value: float, sign: str) -> str:
    return f"{value:{sign}.3g}".replace("-", "−") if value else "0"
