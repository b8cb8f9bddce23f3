"""Energy, where there was a meter; a plain sentence where there was none."""

from collections import Counter
from collections.abc import Sequence

from bench.record import Record
from reports import labels, tables
from reports.document import Column, Emphasis, Section, Table
from reports.study import Study, metric, values

ORDER = 70

_METRICS = {"joules_per_token": "energy per token", "energy_J": "energy per iteration", "avg_power_W": "mean power"}


def build(study: Study) -> Section | None:
    """None where nothing was measured at all."""
    if not study.ok:
        return None
    metered = [r for r in study.ok if metric(r, "joules_per_token") or metric(r, "avg_power_W")]
    if not metered:
        return Section("Energy", f"No energy was measured. {_reason(study.ok)}.", ())
    of_all = f"{len(metered)} of {labels.count(len(study.ok), 'configuration')}"
    lead = f"{of_all} ran under a meter. The least energy per token of each size stands in bold."
    workloads = dict.fromkeys(values(record)["workload"] for record in metered)
    parts = [_table(study, [r for r in metered if values(r)["workload"] == name]) for name in workloads]
    return Section("Energy", lead, tuple(parts))


def _reason(records: Sequence[Record]) -> str:
    """The reason most often given, without its full stop: that of the metric, whose meter is the one of its device."""
    given = [r.metrics[name].reason for r in records for name in _METRICS if name in r.metrics]
    known = Counter(labels.plain(reason).rstrip(".") for reason in given if reason)
    return "; ".join(reason for reason, _ in known.most_common(2)) or "the records name no meter"


def _table(study: Study, records: Sequence[Record]) -> Table:
    identity = tables.Identity(study, but=("workload", *tables.unsaid(records)))
    best = tables.best(records, lambda r: (study.host(r).label, *tables.league(r)), _thrift)
    heads, columns = [], []
    for name, head in _METRICS.items():
        found = [metric(record, name) for record in records]
        some = next((m for m in found if m is not None), None)
        if some is not None:
            marked = best if name == "joules_per_token" else set()
            marks: list[Emphasis] = ["best" if place in marked else "plain" for place in range(len(records))]
            unit, cells = tables.cells([tables.measured(m) for m in found], some.unit, marks)
            heads.append(Column(f"{head}, {unit}", "right"))
            columns.append(cells)
    rows = tuple((*identity.cells(r), *(column[i] for column in columns)) for i, r in enumerate(records))
    return Table(labels.workload(values(records[0])["workload"]), (*identity.columns, *heads), rows)


def _thrift(record: Record) -> float | None:
    found = metric(record, "joules_per_token")
    return -found.value if found and found.value is not None else None
