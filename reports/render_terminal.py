"""The end of a sweep on a terminal: a small table a workload, within 80 columns."""

from collections.abc import Sequence
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.record import Metric, Record
from bench.units import digits, quantity, scale
from reports import labels, tables
from reports.study import Study, memory, metric, study, values
from reports.tradeoffs import quality

_LEGEND = "Medians; ± half the 95 % interval; memory: the peak of the model."
#: A value longer than this may wrap, the first where that fits; with the short heads, the usual axes then do.
_WIDEST = (16, 10)
_DELTA = "Δ ln ppl"
_DELTA_LEGEND = f"{_DELTA}: nats a token of held-out text above the plain fp32 model; 0.01 is 1 %."
#: Columns of a console on which every table fits, to find how many it takes.
_UNBOUNDED = 1000
_SHORT = {"architecture": "model", "batch size": "batch", "precision, compression": "variant"}
#: Reasons that are written out under the tables; the report has them all.
_MOST_REASONS = 6

#: The head of a column and a cell for each record.
_Column = tuple[str, list[str]]


def print_table(records: list[Record], console: Console) -> None:
    """Print throughput with half the width of its interval, time, memory, quality, and failures with their reasons."""
    studied = study(records)
    heads = set()
    for workload in dict.fromkeys(values(record)["workload"] for record in studied.records):
        members = [record for record in studied.records if values(record)["workload"] == workload]
        table = _fitting(studied, labels.workload(workload), members, console)
        console.print(table)
        heads |= {column.header for column in table.columns if isinstance(column.header, str)}
    if any(record.status == "ok" for record in studied.records):
        console.print(Text("\n".join([_LEGEND, *([_DELTA_LEGEND] if _DELTA in heads else [])]), style="dim"))
    for (status, reason), failed in list(studied.causes.items())[:_MOST_REASONS]:
        console.print(Text(f"{len(failed)} × {status}: {reason} ({studied.some(failed, 1)})"))
    rest = len(studied.causes) - _MOST_REASONS
    if rest > 0:
        console.print(Text(f"and {labels.count(rest, 'more cause')}; the report names them all."))


def _fitting(studied: Study, title: str, records: Sequence[Record], console: Console) -> Table:
    """The first table that fits the console: names wrap earlier, then quality gives way, since the report shows it."""
    graded = _quality(records)
    shapes = [(shown, widest) for shown in dict.fromkeys((graded is not None, False)) for widest in _WIDEST]
    for shown, widest in shapes:
        table = _table(studied, title, records, graded if shown else None, widest)
        if console.measure(table, options=console.options.update(width=_UNBOUNDED)).minimum <= console.width:
            break
    return table


def _quality(records: Sequence[Record]) -> _Column | None:
    """The head of a column of quality and its cells: what variants cost, else what the plain models reach."""
    deltas = [quality(record) for record in records]
    if any(found and found.unit == "nat" and found.value for found in deltas):
        return _DELTA, [_difference(found) for found in deltas]
    for name, head, factor in (("accuracy", "accuracy, %", 100), ("perplexity", "perplexity", 1)):
        plain = [metric(record, name) for record in records]
        if any(plain):
            return head, [digits(factor * found.value) if found and found.value is not None else "—" for found in plain]
    return None


def _difference(found: Metric | None) -> str:
    return tables.difference(replace(found, low=None, high=None)).text if found and found.unit == "nat" else "—"


def _table(studied: Study, title: str, records: Sequence[Record], graded: _Column | None, widest: int) -> Table:
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
        narrowest = min(max(map(len, texts)), widest)
        table.add_column(
            Text(_SHORT.get(column.name, column.name)), justify=column.align, overflow="fold", min_width=narrowest
        )
    best = tables.best(records, lambda r: (studied.host(r).label, *tables.league(r)), _throughput)
    measured = [_measured(record, throughput[place], factor, place in best) for place, record in enumerate(records)]
    for place, record in enumerate(records):
        measured[place] += [Text(graded[1][place] if record.status == "ok" else "")] if graded else []
    heads = (unit, "time", "memory", *([graded[0]] if graded else []))
    for index, head in enumerate(heads):
        widths = [len(cells[index]) for cells in measured]
        table.add_column(head, justify="right", no_wrap=True, min_width=max(len(head), *widths))
    for names, cells in zip(named, measured, strict=True):
        table.add_row(*map(Text, names), *cells)
    return table


def _throughput(record: Record) -> float | None:
    found = metric(record, "throughput_tokens_per_s")
    return found.value if found and record.status == "ok" else None


def _measured(record: Record, throughput: Metric | None, factor: float, best: bool) -> list[Text]:
    if record.status != "ok":
        return [Text(labels.status(record), style="yellow"), Text(""), Text("")]
    time, peak = metric(record, "latency_s"), memory(record)
    return [
        Text(_with_spread(throughput, factor), style="bold green" if best else ""),
        Text(quantity(time.value, "s") if time else "—"),
        Text(quantity(peak.value, "B") if peak else "—"),
    ]


def _with_spread(found: Metric | None, factor: float) -> str:
    """`12.3 ±1.2 %`: half the width of the interval, as a share of the value; it need not lie in the middle."""
    if found is None or not found.value:
        return "—"
    text = digits(found.value / factor)
    if found.low is None or found.high is None:
        return text
    return f"{text} ±{digits(50 * (found.high - found.low) / found.value, 2)} %"
