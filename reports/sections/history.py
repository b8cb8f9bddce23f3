"""How points did from run to run: where their level changed, and drift too slow for two runs to show."""

import math
from collections.abc import Sequence

from bench.units import interval
from reports import history, history_words, labels, plots_history, tables
from reports.canvas import shorten
from reports.document import Bullets, Cell, Column, Figure, Paragraph, Part, Section, Table
from reports.history import Trend
from reports.plots_history import Level, Mark, Past
from reports.study import Study

ORDER = 45

#: More figures than this make nobody wiser; the table holds every point.
_MOST_FIGURES = 6
_BARS = 20
#: Runs that are looked at, of each point.
_LAST = 50
#: The metrics that are read, and what a figure's title calls them. Resident memory moves with that above the start.
_METRICS = {
    "latency_s": "time",
    "max_allocated_B": "memory",
    "ram_above_start_B": "memory",
    "joules_per_token": "energy per token",
}


def build(study: Study) -> Section | None:
    """None where no point has three runs in one set-up."""
    trends = history.trends(study.past, list(_METRICS), _LAST)
    read = [trend for trend in trends if len(trend.measured) >= history.SHOWN_FROM]
    times = [trend for trend in read if trend.metric == "latency_s"]
    if not times:
        return None
    moved = [trend for trend in read if trend.moved]
    told = tuple((_head(trend), sentence) for trend in moved for sentence in history_words.sentences(trend))
    notes = [Paragraph(note) for note in history_words.notes(read)]
    parts: list[Part] = [*([Bullets(told)] if told else []), *_figures(moved, times), _table(times), *notes]
    return Section("History", _lead(read, moved), tuple(parts))


def _lead(read: Sequence[Trend], moved: Sequence[Trend]) -> str:
    runs = len({reading.run for trend in read for reading in trend.measured})
    if all(trend.too_few for trend in read):
        return f"The {runs} runs that there are show no trend yet: that takes more."
    points = len({(trend.point, trend.setup) for trend in moved})
    if not points:
        return f"Over {runs} runs no point changed its level and none drifts."
    return f"Over {runs} runs {labels.count(points, 'point')} changed or {'drifts' if points == 1 else 'drift'}."


def _head(trend: Trend) -> str:
    return f"{trend.title}, {trend.says}"


def _figures(moved: Sequence[Trend], times: Sequence[Trend]) -> list[Figure]:
    """Those that moved, the largest change first; where none did, the times of the first points."""
    ranked = sorted(moved, key=_extent, reverse=True) or list(times[:2])
    return [_figure(trend) for trend in ranked[:_MOST_FIGURES]]


def _extent(trend: Trend) -> float:
    """How far its level moved at most, as a logarithm."""
    ratios = [change.ratio for change in trend.changes] + ([trend.drift.in_all] if trend.drift else [])
    return max(abs(math.log(ratio)) for ratio in ratios)


def _figure(trend: Trend) -> Figure:
    places = {id(reading): place for place, reading in enumerate(trend.readings, start=1)}
    x = tuple(float(places[id(reading)]) for reading in trend.measured)
    drawn = Past(
        x,
        tuple(reading.value or 0.0 for reading in trend.measured),
        tuple(reading.low for reading in trend.measured),
        tuple(reading.high for reading in trend.measured),
        _levels(trend, x),
        tuple(Mark(x[change.at], history_words.percent(change.ratio)) for change in trend.changes),
        trend.drift is not None and not trend.changes,
    )
    title = _head(trend)
    svg = plots_history.past(
        f"{shorten(trend.title, 30)}: {_METRICS[trend.metric]}", drawn, trend.unit, len(trend.readings)
    )
    told = "; ".join(history_words.sentences(trend)) or "No change of level and no drift."
    alt = f"{title} over {labels.count(len(trend.measured), 'run')}. {told}"
    return Figure(svg, alt, f"{title}. Whiskers: 95 % interval within the run.", _data(trend))


def _levels(trend: Trend, x: Sequence[float]) -> tuple[Level, ...]:
    """The medians between changes as steps; a drift as a line through the middle of its runs."""
    steps = [Level((x[first] - 0.4, x[last] + 0.4), (level, level)) for first, last, level in trend.levels]
    if trend.drift is None:
        return tuple(steps)
    growth, (first, last, level) = math.log(trend.drift.per_run), trend.levels[-1]
    half = growth * (last - first) / 2
    line = Level((x[first], x[last]), (level * math.exp(-half), level * math.exp(half)))
    return (*steps[:-1], line)


def _data(trend: Trend) -> Table:
    rows = [
        [
            str(place),
            labels.plain(reading.run),
            reading.commit or "—",
            reading.branch or "—",
            interval(reading.value, reading.low, reading.high, trend.unit) if reading.value else reading.reason,
        ]
        for place, reading in enumerate(trend.readings, start=1)
    ]
    return tables.simple(_head(trend), ["", "run", "commit", "branch", f"{trend.says} [95 % interval]"], rows)


def _table(times: Sequence[Trend]) -> Table:
    """A row a point with its time: the newest run, and what is told of it."""
    newest = [trend.measured[-1] for trend in times]
    unit, cells = tables.cells(
        [(r.value, r.low, r.high) if r.value is not None else None for r in newest],
        times[0].unit,
        ["plain"] * len(times),
    )
    several = any(trend.setup for trend in times)
    rows = tuple(
        (
            Cell(trend.label),
            *([Cell(trend.setup)] if several else []),
            Cell(str(len(trend.measured)), sort=len(trend.measured)),
            Cell(history_words.sparkline(trend, _BARS)),
            cell,
            Cell(history_words.verdict(trend), emphasis="plain" if trend.moved else "muted"),
        )
        for trend, cell in zip(times, cells, strict=True)
    )
    columns = (
        Column("point"),
        *([Column("set-up")] if several else []),
        Column("runs", "right"),
        Column(f"last {_BARS} runs" if any(len(t.readings) > _BARS for t in times) else "oldest to newest"),
        Column(f"newest, {unit}", "right"),
        Column("told"),
    )
    note = "Bars are on a logarithmic scale of their own in each row; a dot is a run without a value."
    return Table(f"{labels.plain(times[0].says).capitalize()} from run to run", columns, rows, note)
