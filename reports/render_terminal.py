"""The end of a sweep on a terminal: a small table a workload, within 80 columns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.record import Metric, Record
from bench.units import digits, quantity, scale
from reports import certainty, labels, tables, verdict
from reports.study import Study, memory, metric, study, values
from reports.tradeoffs import quality

_LEGEND = "Medians; ± half the 95 % interval; memory: peak of the model, no interval."
_NO_ROOM = "There is no room for every ± here; the report has them all."
#: A value longer than this may wrap, the first where that fits; with the short heads, the usual axes then do.
_WIDEST = (16, 10)
#: What quality is shown by where no variant has cost any: metric, head of the column, factor.
_GRADES = (("accuracy", "accuracy, %", 100), ("perplexity", "perplexity", 1))
_DELTA = "Δ ln ppl"
_DELTA_LEGEND = f"{_DELTA}: nats a token of held-out text above the plain fp32 model; 0.01 is 1 %."
#: The head of the column of walls, and the words for those that are long.
_WALL = "waits for"
_SHORT_WALLS = {
    "memory bandwidth": "memory",
    "memory latency": "latency",
    "memory capacity": "capacity",
    "power or thermal": "clock",
    "communication": "ranks",
    "parallelism": "cores",
    "unexplained": "?",
}
#: Columns of a console on which every table fits, to find how many it takes.
_UNBOUNDED = 1000
_SHORT = {"architecture": "model", "batch size": "batch", "precision, compression": "variant"}
#: Reasons that are written out under the tables; the report has them all.
_MOST_REASONS = 6

#: The head of a column and a cell for each record.
_Column = tuple[str, list[str]]


@dataclass(frozen=True)
class _Shape:
    """What a table shows: the wall, quality, more than one ±, and how long a value is unbroken."""

    walled: bool
    graded: bool
    precise: bool
    widest: int


def print_table(records: list[Record], console: Console) -> None:
    """Print throughput and time with half the width of their intervals, memory, quality, and failures with reasons."""
    studied = study(records)
    heads, precise = set(), True
    for workload in dict.fromkeys(values(record)["workload"] for record in studied.records):
        members = [record for record in studied.records if values(record)["workload"] == workload]
        table, shape = _fitting(studied, labels.workload(workload), members, console)
        console.print(table)
        heads |= {column.header for column in table.columns if isinstance(column.header, str)}
        precise = precise and shape.precise
    if studied.ok:
        console.print(Text("\n".join(_legend(studied, heads, precise)), style="dim"))
    for (status, reason), failed in list(studied.causes.items())[:_MOST_REASONS]:
        console.print(Text(f"{len(failed)} × {status}: {reason} ({studied.some(failed, 1)})"))
    rest = len(studied.causes) - _MOST_REASONS
    if rest > 0:
        console.print(Text(f"and {labels.count(rest, 'more cause')}; the report names them all."))


def _legend(studied: Study, heads: Collection[str], precise: bool) -> list[str]:
    """What the signs of the tables under `heads` mean, and why some figures have no ±."""
    names = ("throughput_tokens_per_s", *(name for name, head, _ in _GRADES if head in heads))
    words = [_LEGEND, *([] if precise else [_NO_ROOM]), *([_DELTA_LEGEND] if _DELTA in heads else [])]
    doubts = certainty.TIMES.legend(studied.ok)
    return [*words, *certainty.why_no_interval(studied.ok, names), *([doubts] if doubts else [])]


def _fitting(studied: Study, title: str, records: Sequence[Record], console: Console) -> tuple[Table, _Shape]:
    """The first table that fits the console, and its shape.

    Names wrap earlier, then intervals but that of throughput give way, then the wall, then quality: the report shows
    them.
    """
    has_quality = _quality(records, precise=False) is not None
    has_walls = any(_walls(records))
    shapes = [
        _Shape(walled, graded, precise, widest)
        for walled, graded in dict.fromkeys(((has_walls, has_quality), (False, has_quality), (False, False)))
        for precise in (True, False)
        for widest in _WIDEST
    ]
    for shape in shapes:
        table = _table(studied, title, records, shape)
        if console.measure(table, options=console.options.update(width=_UNBOUNDED)).minimum <= console.width:
            break
    return table, shape


def _walls(records: Sequence[Record]) -> list[str]:
    """What each record waits for, in a word; empty where that is not known."""
    found = [verdict.wall_of(record) or "" for record in records]
    return [_SHORT_WALLS.get(wall, wall) for wall in found]


def _quality(records: Sequence[Record], *, precise: bool) -> _Column | None:
    """The head of a column of quality and its cells: what variants cost, else what the plain models reach."""
    deltas = [quality(record) for record in records]
    if any(found and found.unit == "nat" and found.value for found in deltas):
        return _DELTA, [_difference(found, precise) for found in deltas]
    for name, head, factor in _GRADES:
        plain = [metric(record, name) for record in records]
        if any(plain):
            return head, [digits(factor * found.value) if found and found.value is not None else "—" for found in plain]
    return None


def _difference(found: Metric | None, precise: bool) -> str:
    if found is None or found.unit != "nat":
        return "—"
    return tables.difference(found if precise else replace(found, low=None, high=None)).text


def _table(studied: Study, title: str, records: Sequence[Record], shape: _Shape) -> Table:
    graded = _quality(records, precise=shape.precise) if shape.graded else None
    identity = tables.Identity(studied, but=("workload", *tables.unsaid(records)))
    throughput = [metric(record, "throughput_tokens_per_s") for record in records]
    factor, unit = scale([found.value for found in throughput if found], "tokens/s")
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD,
        pad_edge=False, padding=(0, 1), collapse_padding=True,
    )  # fmt: skip
    named = [[cell.text for cell in identity.cells(record)] for record in records]
    for column, texts in zip(identity.columns, zip(*named, strict=True), strict=True):
        # Where room is short, a head wraps before a value does.
        narrowest = min(max(map(len, texts)), shape.widest)
        table.add_column(
            Text(_SHORT.get(column.name, column.name)), justify=column.align, overflow="fold", min_width=narrowest
        )
    best = tables.best(records, lambda r: (studied.host(r).label, *tables.league(r)), _throughput)
    measured = [
        _measured(r, throughput[place], factor, place in best, shape.precise) for place, r in enumerate(records)
    ]
    for place, record in enumerate(records):
        measured[place] += [Text(graded[1][place] if record.status == "ok" else "")] if graded else []
    walls = _walls(records) if shape.walled else []
    for cells, wall in zip(measured, walls, strict=False):
        cells += [Text(wall)]
    heads = (unit, "time", "memory", *([graded[0]] if graded else []), *([_WALL] if walls else []))
    for index, head in enumerate(heads):
        widths = [len(cells[index]) for cells in measured]
        table.add_column(
            head, justify="left" if head == _WALL else "right", no_wrap=True, min_width=max(len(head), *widths)
        )
    for names, cells in zip(named, measured, strict=True):
        table.add_row(*map(Text, names), *cells)
    return table


def _throughput(record: Record) -> float | None:
    found = metric(record, "throughput_tokens_per_s")
    return found.value if found and record.status == "ok" else None


def _measured(record: Record, throughput: Metric | None, factor: float, best: bool, precise: bool) -> list[Text]:
    if record.status != "ok":
        return [Text(labels.status(record), style="yellow"), Text(""), Text("")]
    sign = certainty.TIMES.sign(record)
    time, peak = metric(record, "latency_s"), memory(record)
    return [
        Text(_with_spread(throughput, factor) + sign, style="bold green" if best else ""),
        Text(quantity(time.value, "s") + (_spread(time) if precise else "") + sign if time else "—"),
        Text(quantity(peak.value, "B") if peak else "—"),
    ]


def _with_spread(found: Metric | None, factor: float) -> str:
    """`12.3 ±1.2 %`: half the width of the interval, as a share of the value; it need not lie in the middle."""
    if found is None or not found.value:
        return "—"
    return digits(found.value / factor) + _spread(found)


def _spread(found: Metric) -> str:
    if not found.value or found.low is None or found.high is None:
        return ""
    return f" ±{digits(50 * (found.high - found.low) / found.value, 2)} %"
