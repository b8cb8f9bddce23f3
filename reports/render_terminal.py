"""The end of a sweep on a terminal: a small table a workload, within 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.record import Metric, Record
from bench.units import digits, quantity, scale
from reports import labels, tables
from reports.study import Study, memory, metric, study, values

_LEGEND = "Medians; ± half the 95 % interval; memory: the peak of the model."
#: A value longer than this may wrap; with the short heads, the usual axes then fit 80 columns.
_WIDEST = 16
_SHORT = {"architecture": "model", "batch size": "batch", "precision, compression": "variant"}
#: Reasons that are written out under the tables; the report has them all.
_MOST_REASONS = 6


def print_table(records: list[Record], console: Console) -> None:
    """Print throughput with half the width of its interval, time, peak memory, and failures with their reasons."""
    studied = study(records)
    for workload in dict.fromkeys(values(record)["workload"] for record in studied.records):
        members = [record for record in studied.records if values(record)["workload"] == workload]
        console.print(_table(studied, labels.workload(workload), members))
    if any(record.status == "ok" for record in studied.records):
        console.print(Text(_LEGEND, style="dim"))
    for (status, reason), failed in list(studied.causes.items())[:_MOST_REASONS]:
        console.print(Text(f"{len(failed)} × {status}: {reason} ({studied.some(failed, 1)})"))
    rest = len(studied.causes) - _MOST_REASONS
    if rest > 0:
        console.print(Text(f"and {labels.count(rest, 'more cause')}; the report names them all."))


def _table(studied: Study, title: str, records: Sequence[Record]) -> Table:
    identity = tables.Identity(studied, but=("workload",))
    throughput = [metric(record, "throughput_tokens_per_s") for record in records]
    factor, unit = scale([found.value for found in throughput if found], "tokens/s")
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1)
    )
    rows = [[cell.text for cell in identity.cells(record)] for record in records]
    for column, texts in zip(identity.columns, zip(*rows, strict=True), strict=True):
        # Where room is short, a head wraps before a value does.
        widest = min(max(map(len, texts)), _WIDEST)
        table.add_column(
            Text(_SHORT.get(column.name, column.name)), justify=column.align, overflow="fold", min_width=widest
        )
    for head in (unit, "time", "memory"):
        table.add_column(head, justify="right", no_wrap=True)
    best = tables.best(records, lambda r: (studied.host(r).label, values(r)["size"]), _throughput)
    for place, record in enumerate(records):
        table.add_row(*map(Text, rows[place]), *_measured(record, throughput[place], factor, place in best))
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
