"""What options cost: against their speed with the Pareto front, and one by one with their ties."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from textwrap import wrap

from matplotlib.axes import Axes

from reports import canvas, placement
from reports.canvas import FOREGROUND, GRID, MUTED, SERIES
from reports.placement import Anchor, Box
from reports.plots import ROW, log_ticks, look, name_rows, row_labels, titles

#: More labels than this leave no room for each other.
MOST_LABELS = 12
_LABEL_SIZE = 9.5
_LABEL_HEIGHT = 11.5
#: Characters of a label's row; a longer name takes two of them.
_LABEL_WIDTH = 22
#: Names of devices are rich in capitals and digits, which are wider than the average character.
_WIDER = 1.1
_RADIUS = 3.5
_INSET = 4.0
#: A label farther from its mark than this has a line to it.
_NEAR = 9.0

#: Low, likely, high.
Interval = tuple[float, float, float]


@dataclass(frozen=True)
class Choice:
    """One option: how fast it is and what it costs, each with its interval; `rank` of those tied is the same."""

    label: str
    speed: Interval
    cost: Interval
    rank: int
    on_front: bool


def trade(title: str, choices: Sequence[Choice], x_label: str, y_label: str) -> str:
    """Cost against speed, both logarithmic: fast and cheap is below on the right.

    Whiskers are intervals. Those on the front are filled, in colour, and joined by steps. The front is labelled first,
    then the rest in the order given, to `MOST_LABELS`.
    """
    with canvas.style():
        figure, axes = canvas.panel(350, left=48, bottom=40, top=44)
        log_ticks(axes.xaxis, [bound for each in choices for bound in each.speed], "")
        log_ticks(axes.yaxis, [bound for each in choices for bound in each.cost], "")
        _make_room(axes)
        steps = _steps(choices)
        if len(steps) > 1:
            axes.plot(*zip(*steps, strict=True), color=SERIES[0], linewidth=1.3, zorder=1.5)
        for each in choices:
            _draw(axes, each)
        _label(axes, choices, steps)
        heading = canvas.shorten(title, 48)
        axes.set_title(heading, loc="left", fontsize=canvas.FONT_SIZE, fontweight="bold", pad=26, x=0)
        axes.set_xlabel(x_label)
        axes.annotate(y_label, (0, 1), xytext=(0, 9), xycoords="axes fraction", textcoords="offset points")
        return canvas.svg(figure)


def _make_room(axes: Axes) -> None:
    """For labels beside and below the outermost marks."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    across, along = (right / left) ** 0.08, (top / bottom) ** 0.08
    axes.set_xlim(left / across, right * across**1.5)
    axes.set_ylim(bottom / along, top)


def _draw(axes: Axes, each: Choice) -> None:
    colour = SERIES[0] if each.on_front else MUTED
    (left, x, right), (bottom, y, top) = each.speed, each.cost
    axes.plot((left, right), (y, y), color=colour, linewidth=0.9, alpha=0.7, zorder=1.8)
    axes.plot((x, x), (bottom, top), color=colour, linewidth=0.9, alpha=0.7, zorder=1.8)
    axes.plot(
        x, y, marker="o", linestyle="", markersize=2 * _RADIUS, zorder=2, markeredgecolor=colour, markeredgewidth=1.0,
        markerfacecolor=colour if each.on_front else (colour, 0.15),
    )  # fmt: skip


def _steps(choices: Sequence[Choice]) -> list[tuple[float, float]]:
    """The corners of the front from its slowest member: what is cheaper is slower, so a lower cost ends at its rate."""
    front = sorted((each.speed[1], each.cost[1]) for each in choices if each.on_front)
    corners = [[(before[0], after[1]), after] for before, after in pairwise(front)]
    return [*front[:1], *chain.from_iterable(corners)]


def _label(axes: Axes, choices: Sequence[Choice], steps: Sequence[tuple[float, float]]) -> None:
    """Each label beside its mark, with a line to it where it had to stand away; unnamed marks are kept free too."""
    at = canvas.places(axes, [(each.speed[1], each.cost[1]) for each in choices])
    order = sorted(range(len(choices)), key=lambda place: not choices[place].on_front)[:MOST_LABELS]
    rows = {place: wrap(choices[place].label, _LABEL_WIDTH, max_lines=2, placeholder="…") for place in order}
    anchors = [
        Anchor(*at[place], _RADIUS, _WIDER * max(map(canvas.width, rows[place])) * _LABEL_SIZE / canvas.FONT_SIZE,
               _LABEL_HEIGHT * len(rows[place]))
        for place in order
    ]  # fmt: skip
    left, bottom, right, top = canvas.edges(axes)
    frame = Box(left + _INSET, bottom + _INSET, right, top)
    unnamed = [Anchor(*at[place], _RADIUS, 0, 0).box for place in range(len(choices)) if place not in rows]
    corners = canvas.places(axes, steps) if steps else []
    front = [Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in pairwise(corners)]
    placed = placement.place(anchors, frame, [*front, *unnamed], _whiskers(axes, choices))
    for place, anchor, box in zip(order, anchors, placed, strict=True):
        if box is not None:
            colour = FOREGROUND if choices[place].on_front else MUTED
            _write(axes, "\n".join(rows[place]), anchor, box, colour)


def _whiskers(axes: Axes, choices: Sequence[Choice]) -> list[Box]:
    ends = []
    for each in choices:
        (left, x, right), (bottom, y, top) = each.speed, each.cost
        ends += [((left, y), (right, y)), ((x, bottom), (x, top))]
    return [Box(*low, *high) for low, high in (canvas.places(axes, pair) for pair in ends)]


def _write(axes: Axes, text: str, anchor: Anchor, box: Box, colour: str) -> None:
    if anchor.distance(box) > anchor.radius + _NEAR:
        canvas.lead(axes, anchor, box)
    canvas.write(axes, text, anchor, box, _LABEL_SIZE, colour, 1.05)


def costs(title: str, choices: Sequence[Choice], x_label: str) -> str:
    """A row an option, its cost with its interval; those of one rank stand in one band with one mark and colour.

    The dashed lines bound the interval of the first.
    """
    with canvas.style():
        shown = row_labels([each.label for each in choices])
        figure, axes = canvas.panel(len(choices) * ROW + 66, left=max(map(canvas.width, shown)) + 10, bottom=40)
        log_ticks(axes.xaxis, [bound for each in choices for bound in each.cost], "")
        for bound in (choices[0].cost[0], choices[0].cost[2]):
            axes.axvline(bound, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)
        looks = {rank: place for place, rank in enumerate(dict.fromkeys(each.rank for each in choices))}
        for place, each in enumerate(choices):
            marker, _, colour = look(looks[each.rank])
            low, likely, high = each.cost
            axes.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(likely, place, marker=marker, color=colour, markersize=6)
            if place and each.rank != choices[place - 1].rank:
                axes.axhline(place - 0.5, color=GRID, linewidth=0.8)
        name_rows(axes, shown)
        titles(axes, title, x_label)
        return canvas.svg(figure)
