"""Every measurement with its interval, one table a workload; failures stand where they belong."""

from collections.abc import Callable, Sequence

from bench.record import Metric, Record
from reports import certainty, labels, tables
from reports.document import Cell, Column, Emphasis, Section, Table
from reports.study import MEMORY_METRICS, Study, memory, metric, values

ORDER = 30

_Pick = Callable[[Record], Metric | None]


def _by_name(name: str) -> _Pick:
    return lambda record: metric(record, name)


def _slowest(record: Record) -> Metric | None:
    """The 99th percentile, where there are enough iterations for one in a hundred to be seen."""
    found = metric(record, "latency_p99_s")
    return found if found is not None and found.n >= 100 else None


#: Head, how to find the metric, and whether the best of each group is marked.
_COLUMNS: tuple[tuple[str, _Pick, bool], ...] = (
    ("throughput", _by_name("throughput_tokens_per_s"), True),
    ("time per iteration", _by_name("latency_s"), False),
    ("time per token", _by_name("tpot_s"), False),
    ("slowest 1 %", _slowest, False),
    ("peak memory", memory, False),
)


def build(study: Study) -> Section | None:
    """None where no point gave a measurement."""
    if not study.ok:
        return None
    workloads = dict.fromkeys(values(record)["workload"] for record in study.records)
    parts = [_table(study, [r for r in study.records if values(r)["workload"] == name]) for name in workloads]
    lead = (
        "Throughput and times are medians with their 95 % interval in brackets; memory is the peak. "
        "The most tokens a second of each size stand in bold."
    )
    return Section("Results", lead, tuple(parts))


def _table(study: Study, records: Sequence[Record]) -> Table:
    identity = tables.Identity(study, but=("workload", *tables.unsaid(records)))
    heads: list[Column] = []
    columns: list[list[Cell]] = []
    for head, pick, marks in _COLUMNS:
        found = [pick(record) if record.status == "ok" else None for record in records]
        some = next((m for m in found if m is not None), None)
        if some is not None:
            # A peak of memory does not depend on who else took the processor.
            signs = ["" if pick is memory else certainty.TIMES.sign(record) for record in records]
            emphases = _emphases(study, records, pick, marks)
            unit, cells = tables.cells([tables.measured(m) for m in found], some.unit, emphases, signs)
            heads.append(Column(f"{head}, {unit}", "right"))
            columns.append(cells)
    rows = []
    for place, record in enumerate(records):
        measured = tuple(column[place] for column in columns)
        if record.status != "ok" and measured:
            measured = (Cell(labels.status(record), emphasis="bad"), *measured[1:])
        rows.append((*identity.cells(record), *measured))
    title = labels.workload(values(records[0])["workload"])
    return Table(title, (*identity.columns, *heads), tuple(rows), _note(records))


def _note(records: Sequence[Record]) -> str:
    measured = [record for record in records if record.status == "ok"]
    slowest = ("latency_p99_s",) if any(map(_slowest, measured)) else ()
    names = ("throughput_tokens_per_s", "latency_s", "tpot_s", *slowest, *MEMORY_METRICS)
    return certainty.remarks(measured, names)


def _emphases(study: Study, records: Sequence[Record], pick: _Pick, marks: bool) -> list[Emphasis]:
    """`best` for the best of each size on each machine; more or less is better as the metric itself says."""

    def goodness(record: Record) -> float | None:
        found = pick(record) if record.status == "ok" else None
        return None if found is None or found.value is None else found.value * (found.direction or -1)

    def group(record: Record) -> object:
        return study.host(record).label, *tables.league(record)

    best = tables.best(records, group, goodness) if marks else set()
    return ["best" if place in best else "plain" for place in range(len(records))]
