"""Trends on a terminal within 80 columns: a line a point, then the runs one by one, then what is told in sentences."""

import math
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.units import digits, quantity, scale
from reports import history_words, labels
from reports.history import Reading, Trend

#: So few points are shown run by run even if nothing is told of them; of more, so many of those that moved.
_FEW, _MOST = 3, 6
_SPARK, _STRIP = 18, 24
#: A strip spans at least this factor from its left end to its right one.
_LEAST_SPAN = math.log(1.1)


def print_trends(trends: Sequence[Trend], console: Console) -> None:
    """Print an overview of all `trends`, the runs of the most telling ones, and a sentence for each change."""
    console.print(_overview(trends))
    moved = [trend for trend in trends if trend.moved]
    chosen = list(trends) if len(trends) <= _FEW else moved[:_MOST]
    for trend in chosen:
        console.print(_runs(trend))
    for trend in moved:
        for sentence in history_words.sentences(trend):
            console.print(Text.assemble((f"{_head(trend)}: ", "bold"), sentence))
    if not moved and any(not trend.too_few for trend in trends):
        console.print("No change of level and no drift was found.")
    hidden = len(trends) - len(chosen)
    if hidden:
        told = f"{labels.count(hidden, 'point is', 'points are')} not shown run by run; choose some with --point."
        console.print(Text(told, style="dim"))
    for note in history_words.notes(trends):
        console.print(Text(note, style="dim"))


def _head(trend: Trend) -> str:
    return f"{trend.title}, {trend.says}"


def _table(title: str) -> Table:
    return Table(
        title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        pad_edge=False, padding=(0, 1), collapse_padding=True,
    )  # fmt: skip


def _overview(trends: Sequence[Trend]) -> Table:
    says = list(dict.fromkeys(trend.says for trend in trends))
    table = _table(f"History: {labels.listed(says)}")
    table.add_column("point", no_wrap=True)
    table.add_column("", overflow="fold", min_width=14)
    table.add_column("runs", justify="right", no_wrap=True)
    table.add_column("oldest to newest", no_wrap=True)
    table.add_column("newest", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for trend in trends:
        name = trend.title if len(says) == 1 else _head(trend)
        table.add_row(
            trend.point[:6],
            Text(name),
            str(len(trend.readings)),
            history_words.sparkline(trend, _SPARK),
            quantity(trend.measured[-1].value, trend.unit),
            Text(history_words.verdict(trend), style="bold" if trend.moved else "dim"),
        )
    return table


def _runs(trend: Trend) -> Table:
    """A row a run with its value and a mark on a logarithmic strip; a line between runs where the level changed."""
    factor, unit = scale([reading.value for reading in trend.measured], trend.unit)
    table = _table(f"{_head(trend)}{', ' if unit else ''}{unit}")
    table.add_column("run", no_wrap=True)
    table.add_column("commit", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("", overflow="fold", max_width=_STRIP)
    changes = {trend.measured[change.at]: change for change in trend.changes}
    for reading, mark in zip(trend.readings, _strips(trend), strict=True):
        if change := changes.get(reading):
            interval = history_words.bounds(change.low, change.high)
            table.add_row(
                Text("─" * 20), Text("─" * 10), Text("─" * 12), Text(history_words.percent(change.ratio) + interval)
            )
        table.add_row(Text(labels.plain(reading.run)), Text(_commit(reading)), Text(_value(reading, factor)), mark)
    return table


def _commit(reading: Reading) -> str:
    """Its first digits, and + where the checkout was changed."""
    if reading.commit is None:
        return "—"
    clean = reading.commit.removesuffix("-dirty")
    return clean[:9] + ("+" if clean != reading.commit else "")


def _value(reading: Reading, factor: float) -> str:
    if reading.value is None:
        return "—"
    return digits(reading.value / factor) + history_words.half_width(reading)


def _strips(trend: Trend) -> Iterator[Text]:
    """Where each value lies between the least and the largest one; why there is none where there is none."""
    low, high = min(trend.logs), max(trend.logs)
    middle, span = (low + high) / 2, max(high - low, _LEAST_SPAN)
    for reading in trend.readings:
        if reading.value is None:
            yield Text(reading.reason or "no value", style="dim")
        else:
            place = round(((math.log(reading.value) - middle) / span + 0.5) * (_STRIP - 1))
            yield Text("·" * place + "●" + "·" * (_STRIP - 1 - place))
