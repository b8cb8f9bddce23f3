"""Where the time of an iteration goes, a bar a point, and how much of it each resource decides."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from reports import canvas
from reports.canvas import GRID, MARKERS, MUTED, SERIES
from reports.plots import LEGEND_ROW, ROW, legend, legend_shape, name_rows, row_labels, titles

#: Parts that have a colour of their own; the smaller ones are one part, `other`.
MOST_WALLS = 6
OTHER, UNEXPLAINED = "other", "unexplained"
#: Parts of less than this of every bar have no colour of their own.
_SEEN = 0.02
#: Rows of elasticities in one figure, the names of the points among them.
MOST_RESOURCES = 24
_FACE, _HATCH = 0.4, "////"
_NUMBER_SIZE = 9.5


@dataclass(frozen=True)
class Bar:
    """One point: the share of its time that each wall takes, by name; `unexplained` is one of them."""

    label: str
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Pull:
    """How much a resource decides the time of a point: 0 not at all, 1 alone; with its 95 % interval if known."""

    point: str
    resource: str
    look: int
    value: float
    low: float | None
    high: float | None


def palette(bars: Iterable[Bar]) -> dict[str, int]:
    """A colour for each wall with a large part in some bar: by number, the same for every figure it is given to."""
    totals: dict[str, float] = {}
    for bar in bars:
        for wall, share in bar.shares.items():
            if share >= _SEEN and wall != UNEXPLAINED:
                totals[wall] = totals.get(wall, 0.0) + share
    ranked = sorted(totals, key=lambda wall: -totals[wall])
    return {wall: place for place, wall in enumerate(ranked[:MOST_WALLS])}


def walls(title: str, bars: Sequence[Bar], colours: Mapping[str, int]) -> str:
    """Stacked bars in percent of the time of an iteration; `colours` as `palette` gave them for all figures."""
    with canvas.style():
        shown = row_labels([bar.label for bar in bars])
        parts = [parts_of(bar, colours) for bar in bars]
        used = [name for name in (*colours, OTHER, UNEXPLAINED) if any(name in found for found in parts)]
        columns, legend_rows = legend_shape(used)
        bottom = 38 + legend_rows * LEGEND_ROW
        left = max(map(canvas.width, shown)) + 10
        figure, axes = canvas.panel(len(bars) * ROW + bottom + 26, left=left, bottom=bottom)
        room = canvas.WIDTH - left - 14
        end = max(100.0, *(100 * sum(found.values()) for found in parts))
        for place, found in enumerate(parts):
            start = 0.0
            for name in used:
                share = found.get(name, 0.0)
                _draw_part(axes, place, start, share, colours.get(name), name, room * 100 / end)
                start += 100 * share
        axes.set_xlim(0, end)
        axes.xaxis.set_major_locator(FixedLocator([0, 25, 50, 75, 100]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
        name_rows(axes, shown)
        titles(axes, title, "% of the time of an iteration")
        legend(axes, [_patch(name, colours.get(name)) for name in used], columns)
        return canvas.svg(figure)


def parts_of(bar: Bar, colours: Mapping[str, int]) -> dict[str, float]:
    """The parts that are drawn: walls with a colour, the rest as one, and what nothing accounts for."""
    found = {wall: share for wall, share in bar.shares.items() if wall in colours and share > 0}
    rest = {wall: share for wall, share in bar.shares.items() if wall not in colours and share > 0}
    residual = rest.pop(UNEXPLAINED, 0.0)
    found |= {OTHER: sum(rest.values())} if rest else {}
    return found | ({UNEXPLAINED: residual} if residual > 0 else {})


def _draw_part(axes: Axes, place: int, start: float, share: float, colour: int | None, name: str, room: float) -> None:
    if share <= 0:
        return
    looks = _looks(colour, name)
    axes.barh(place, 100 * share, 0.66, left=start, linewidth=0.8, **looks)
    text = f"{100 * share:.0f}"
    if name != UNEXPLAINED and share * room > canvas.width(text) * _NUMBER_SIZE / canvas.FONT_SIZE + 4:
        axes.annotate(text, (start + 50 * share, place), ha="center", va="center_baseline", fontsize=_NUMBER_SIZE)


def _looks(colour: int | None, name: str) -> dict[str, Any]:
    if name == UNEXPLAINED:
        return {"facecolor": "none", "edgecolor": MUTED, "hatch": _HATCH}
    face = MUTED if colour is None else SERIES[colour]
    return {"facecolor": (face, 0.2 if colour is None else _FACE), "edgecolor": face}


def _patch(name: str, colour: int | None) -> Patch:
    return Patch(label=name, **_looks(colour, name))


def elasticities(title: str, pulls: Sequence[Pull]) -> str:
    """A row a resource under the name of its point, with rules at 0 (it decides nothing) and 1 (it decides alone)."""
    with canvas.style():
        names: list[str] = []
        rows: list[Pull | str] = []
        for pull in pulls:
            if not names or names[-1] != pull.point:
                names.append(pull.point)
                rows.append(pull.point)
            rows.append(pull)
        shown = row_labels(["" if isinstance(row, str) else row.resource for row in rows])
        left = max(map(canvas.width, shown)) + 12
        figure, axes = canvas.panel(len(rows) * ROW + 66, left=left, bottom=40)
        bounds = [b for pull in pulls for b in (pull.value, pull.low, pull.high) if b is not None and math.isfinite(b)]
        low, high = min([*bounds, 0.0]), max([*bounds, 1.0])
        # Wide intervals should not squeeze 0 and 1 together; an arrow shows that one goes on.
        low, high = max(low, -1.5), min(high, 2.5)
        # The names of points run across where the axis would stand.
        axes.spines["left"].set_visible(False)
        room = 0.08 * (high - low)
        axes.set_xlim(low - room, high + room)
        for place, row in enumerate(rows):
            if isinstance(row, str):
                _head(axes, row, place, left, first=place == 0)
            else:
                _draw_pull(axes, row, place, (low - room, high + room))
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
        name_rows(axes, shown)
        titles(axes, title, "0: decides nothing; 1: decides alone")
        return canvas.svg(figure)


def _head(axes: Axes, name: str, place: int, left: float, *, first: bool) -> None:
    """The name of a point above its rows, from the left edge of the figure."""
    if not first:
        axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
    axes.annotate(
        canvas.shorten(name, 50), (0, place), xycoords=axes.get_yaxis_transform(), xytext=(4 - left, 0),
        textcoords="offset points", va="center", fontsize=_NUMBER_SIZE + 0.5, fontweight="bold",
    )  # fmt: skip


def _draw_pull(axes: Axes, pull: Pull, place: int, ends: tuple[float, float]) -> None:
    """The value on its interval; an arrow at the edge where either lies beyond it."""
    axes.plot([(0, 1), (0, 1)], [(place - 0.5,) * 2, (place + 0.5,) * 2], color=MUTED, linewidth=1.3, zorder=1)
    colour, marker = SERIES[pull.look % len(SERIES)], MARKERS[pull.look % len(MARKERS)]
    known = pull.low is not None and pull.high is not None
    if pull.low is not None and pull.high is not None:
        axes.plot([pull.low, pull.high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
        for beyond, edge, arrow in ((pull.low < ends[0], ends[0], "<"), (pull.high > ends[1], ends[1], ">")):
            if beyond:
                axes.plot(edge, place, marker=arrow, color=colour, markersize=6, clip_on=False)
    axes.plot(
        pull.value, place, marker=marker, color=colour, markersize=5.5 if known else 6,
        fillstyle="full" if known else "none",
    )  # fmt: skip
