"""The roofline as a picture: logarithmic on both axes, roofs as lines with their names, points by phase."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.units import scale
from reports import canvas, placement
from reports.canvas import FOREGROUND, MARKERS, MUTED, SERIES
from reports.placement import Anchor, Box
from reports.plots import LEGEND_ROW, legend, legend_shape, titles

_LABEL_SIZE = 9.5
#: Characters of a label's row.
_LABEL_WIDTH = 16
#: A label farther from its mark than this many points is left out.
_FAR = 45.0
#: Points between the middles of two labels that stand above each other.
_LINE = 11.0
_MARK = 3.2
_RIGHT = 46.0
#: Ticks that can be written beside each other.
_MOST_TICKS = 6
_DATASHEET = (0, (4, 3))


@dataclass(frozen=True)
class Roof:
    """A line that nothing crosses: a peak in FLOP/s, or (`sloping`) a bandwidth in B/s; `promised` by a datasheet."""

    label: str
    value: float
    sloping: bool = False
    promised: bool = False


@dataclass(frozen=True)
class Mark:
    """One point; those of one phase carry the same `look`. `label` stands beside it; empty for none."""

    phase: str
    look: int
    x: float
    y: float
    low: float | None
    high: float | None
    label: str = ""


def roofline(title: str, roofs: Sequence[Roof], marks: Sequence[Mark], x_label: str) -> str:
    """Marks under the roofs; x in FLOP/B, y in FLOP/s. There has to be a flat roof, a sloping one, and a mark."""
    with canvas.style():
        phases = {mark.phase: mark.look for mark in marks}
        handles = [_handle(phase, look) for phase, look in phases.items()]
        if any(roof.promised for roof in roofs):
            handles.append(Line2D([], [], color=MUTED, linestyle=_DATASHEET, linewidth=1.2, label="datasheet"))
        columns, legend_rows = legend_shape([str(handle.get_label()) for handle in handles])
        foot = 40 + legend_rows * LEGEND_ROW
        figure, axes = canvas.panel(250 + foot, left=44, bottom=foot, right=_RIGHT)
        unit = _axes(axes, roofs, marks)
        for roof in roofs:
            _draw_roof(axes, roof, roofs)
        for mark in marks:
            _draw_mark(axes, mark)
        _name_peaks(axes, [roof for roof in roofs if not roof.sloping and not roof.promised])
        bands = _name_bands(axes, [roof for roof in roofs if roof.sloping], marks)
        _name_marks(axes, roofs, marks, bands)
        titles(axes, f"{title}, {unit}", x_label)
        legend(axes, handles, columns)
        return canvas.svg(figure)


def _axes(axes: Axes, roofs: Sequence[Roof], marks: Sequence[Mark]) -> str:
    """Bounds that show every mark and the bend of the roofs; the unit's name of the vertical axis."""
    peaks = [roof.value for roof in roofs if not roof.sloping]
    bands = [roof.value for roof in roofs if roof.sloping]
    bend = max(peaks) / min(bands)
    left, right = min(*(mark.x for mark in marks), bend / 30), max(*(mark.x for mark in marks), bend)
    reached = [value for mark in marks for value in (mark.y, mark.low) if value]
    low, high = min(*reached, left * min(bands)), max(*peaks, *(mark.y for mark in marks))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left / 2, right * 10)
    axes.set_ylim(low / 2, high * 2)
    _ticks(axes.xaxis, left / 2, right * 10, 1.0)
    factor, unit = scale([math.sqrt(low * high)], "FLOP/s")
    _ticks(axes.yaxis, low / 2, high * 2, factor)
    return unit


def _ticks(axis: Axis, low: float, high: float, factor: float) -> None:
    """Powers of ten, as many as can be read."""
    powers = list(range(math.ceil(math.log10(low / factor)), math.floor(math.log10(high / factor)) + 1))
    step = math.ceil(len(powers) / _MOST_TICKS) or 1
    axis.set_major_locator(FixedLocator([factor * 10.0**power for power in powers[::step]]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / factor:,.10g}"))


def _draw_roof(axes: Axes, roof: Roof, roofs: Sequence[Roof]) -> None:
    """A peak from where the fastest level reaches it; a bandwidth up to the highest peak of its rung."""
    left, right = axes.get_xlim()
    peaks = [each.value for each in roofs if not each.sloping and each.promised == roof.promised]
    bands = [each.value for each in roofs if each.sloping]
    if roof.sloping:
        top = max(peaks or [each.value for each in roofs if not each.sloping])
        x, y = (left, top / roof.value), (left * roof.value, top)
    else:
        x, y = (roof.value / max(bands), right), (roof.value, roof.value)
    main = roof.sloping and roof.label == "memory"
    axes.plot(
        x, y, color=MUTED if roof.promised else FOREGROUND, linestyle=_DATASHEET if roof.promised else "-",
        linewidth=1.6 if main and not roof.promised else 1.0, zorder=1.6,
    )  # fmt: skip


def _draw_mark(axes: Axes, mark: Mark) -> None:
    colour, marker = SERIES[mark.look % len(SERIES)], MARKERS[mark.look % len(MARKERS)]
    if mark.low and mark.high:
        axes.plot((mark.x, mark.x), (mark.low, mark.high), color=colour, linewidth=1.2, zorder=2)
    axes.plot(
        mark.x, mark.y, marker=marker, linestyle="", markersize=2 * _MARK, zorder=2.2,
        markerfacecolor=(colour, 0.55), markeredgecolor=colour, markeredgewidth=0.9,
    )  # fmt: skip


def _handle(label: str, look: int) -> Line2D:
    colour, marker = SERIES[look % len(SERIES)], MARKERS[look % len(MARKERS)]
    return Line2D(
        [], [], linestyle="", marker=marker, markersize=6, markerfacecolor=(colour, 0.55), markeredgecolor=colour,
        label=label,
    )  # fmt: skip


def _name_peaks(axes: Axes, peaks: Sequence[Roof]) -> None:
    """The names of the flat roofs in the right margin, level with their lines as far as they do not touch."""
    wanted = [_place(axes, axes.get_xlim()[1], roof.value)[1] for roof in peaks]
    for roof, at, height in zip(peaks, wanted, placement.spread(wanted, _LINE), strict=True):
        right = canvas.edges(axes)[2]
        if abs(height - at) > 1:
            axes.annotate(
                "", (right + 6, height), xytext=(right + 0.5, at), xycoords="figure points",
                textcoords="figure points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
        axes.annotate(roof.label, (right + 8, height), xycoords="figure points", va="center", fontsize=_LABEL_SIZE)


def _name_bands(axes: Axes, bands: Sequence[Roof], marks: Sequence[Mark]) -> list[Box]:
    """Names along the sloping roofs, the lowest below its line and the others above theirs; the boxes they take.

    One whose line runs just below another's shares its label.
    """
    rise, run = _slope(axes)
    across = run / math.hypot(rise, run)  # from a vertical distance to that between the lines
    groups: list[list[Roof]] = []
    for roof in sorted((each for each in bands if not each.promised), key=lambda each: -each.value):
        gap = math.inf if not groups else _height(axes, groups[-1][-1].value / roof.value) * across
        if gap < _LINE + 1:
            groups[-1].append(roof)
        else:
            groups.append([roof])
    taken: list[Box] = []
    for place, group in enumerate(groups):
        text = ", ".join(roof.label.removesuffix(" cache") for roof in group)
        text += " cache" if all(roof.label.endswith(" cache") for roof in group) else ""
        below = place == len(groups) - 1
        taken += _name_band(axes, text, group[-1 if below else 0], below, marks)
    return taken


def _name_band(axes: Axes, text: str, roof: Roof, below: bool, marks: Sequence[Mark]) -> list[Box]:
    """Write `text` along the line, as near to its lower end as no mark is in the way."""
    rise, run = _slope(axes)
    along, up = (run / math.hypot(rise, run), rise / math.hypot(rise, run)), 1 if not below else -1
    left, bottom, right, top = canvas.edges(axes)
    x, y = _place(axes, axes.get_xlim()[0], axes.get_xlim()[0] * roof.value)
    if y < bottom:
        x, y = x + (bottom - y) * run / rise, bottom
    length = canvas.width(text) * _LABEL_SIZE / canvas.FONT_SIZE
    discs = [Anchor(*_place(axes, mark.x, mark.y), _MARK + 1, 0, 0).box for mark in marks]
    middle = up * (_LINE / 2 + 2)  # from the line to the middle of the text, at a right angle to it
    boxes: list[Box] = []
    at = (x, y)
    for shift in range(14, 180, 6):
        at = (x + shift * along[0] - middle * along[1], y + shift * along[1] + middle * along[0])
        steps = _steps(at, (at[0] + length * along[0], at[1] + length * along[1]), 10)
        boxes = [Box(b.left - 3, b.bottom - 3, b.right + 3, b.top + 3) for b in steps]
        inside = left < boxes[0].left and boxes[-1].right < right and boxes[0].bottom > bottom and boxes[-1].top < top
        if inside and not any(box.overlaps(disc) for box in boxes for disc in discs):
            break
    axes.annotate(
        text, at, xycoords="figure points", rotation=math.degrees(math.atan2(rise, run)), rotation_mode="anchor",
        va="center", fontsize=_LABEL_SIZE,
    )  # fmt: skip
    return boxes


def _slope(axes: Axes) -> tuple[float, float]:
    """How far a sloping roof rises in points, and how far it runs meanwhile."""
    low, high = _place(axes, 1.0, 1.0), _place(axes, 10.0, 10.0)
    return high[1] - low[1], high[0] - low[0]


def _height(axes: Axes, factor: float) -> float:
    return _place(axes, 1.0, factor)[1] - _place(axes, 1.0, 1.0)[1]


def _name_marks(axes: Axes, roofs: Sequence[Roof], marks: Sequence[Mark], taken: Sequence[Box]) -> None:
    """Labels near their marks; one for which there is no free place is left out, since the table has it."""
    named = [mark for mark in marks if mark.label]
    rows = [_rows(mark.label) for mark in named]
    anchors = [
        Anchor(
            *_place(axes, mark.x, mark.y), _MARK,
            max(map(canvas.width, text)) * _LABEL_SIZE / canvas.FONT_SIZE, _LINE * len(text),
        )
        for mark, text in zip(named, rows, strict=True)
    ]  # fmt: skip
    left, bottom, right, top = canvas.edges(axes)
    discs = [Anchor(*_place(axes, mark.x, mark.y), _MARK, 0, 0).box for mark in marks]
    full = [*_roof_boxes(axes, roofs), *taken, *discs, *_whiskers(axes, marks)]
    placed = placement.place(anchors, Box(left + 3, bottom + 2, right - 2, top - 2), full)
    for text, anchor, box in zip(rows, anchors, placed, strict=True):
        if box is None or anchor.distance(box) > _FAR or any(box.overlaps(other) for other in full):
            continue
        end = (min(max(anchor.x, box.left), box.right), min(max(anchor.y, box.bottom), box.top))
        if math.dist(end, (anchor.x, anchor.y)) > anchor.radius + 8:
            canvas.lead(axes, anchor, box)
        canvas.write(axes, "\n".join(text), anchor, box, _LABEL_SIZE, FOREGROUND)


def _rows(label: str) -> list[str]:
    """A label in rows that end at its commas."""
    rows: list[str] = []
    for part in label.split(", "):
        if rows and len(rows[-1]) + len(part) + 2 <= _LABEL_WIDTH:
            rows[-1] += f", {part}"
        else:
            rows.append(canvas.shorten(part, _LABEL_WIDTH))
    return rows[:3]


def _whiskers(axes: Axes, marks: Sequence[Mark]) -> list[Box]:
    spans = [[_place(axes, mark.x, y) for y in (mark.low, mark.high)] for mark in marks if mark.low and mark.high]
    return [Box(low[0] - 0.5, low[1], high[0] + 0.5, high[1]) for low, high in spans]


def _roof_boxes(axes: Axes, roofs: Sequence[Roof]) -> list[Box]:
    """What labels should not stand on: flat roofs as lines, sloping ones as a row of small boxes."""
    left, _, right, _ = canvas.edges(axes)
    boxes = []
    for roof in roofs:
        if roof.sloping:
            start = _place(axes, axes.get_xlim()[0], axes.get_xlim()[0] * roof.value)
            peak = max(each.value for each in roofs if not each.sloping)
            boxes += _steps(start, _place(axes, peak / roof.value, peak), 60)
        else:
            height = _place(axes, 1.0, roof.value)[1]
            boxes.append(Box(left, height, right, height))
    return boxes


def _steps(start: tuple[float, float], end: tuple[float, float], number: int) -> list[Box]:
    """Boxes along a sloping line."""
    at = [
        (start[0] + (end[0] - start[0]) * step / number, start[1] + (end[1] - start[1]) * step / number)
        for step in range(number + 1)
    ]
    return [Box(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1])) for a, b in pairwise(at)]


def _place(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Where data stands in the figure, in points from its lower left corner."""
    return canvas.places(axes, [(x, y)])[0]
