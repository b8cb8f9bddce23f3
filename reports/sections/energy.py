"""Energy, gross and net, with the power it is from and how that was read; a plain sentence where there was no meter."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.record import Record, Warn
from reports import certainty, labels, tables
from reports.certainty import NET_POWER, POWER, Doubt
from reports.document import Bullets, Cell, Column, Emphasis, Paragraph, Part, Section, Table
from reports.study import Study, metric, values

ORDER = 70


@dataclass(frozen=True)
class _Figure:
    head: str
    doubt: Doubt


_METRICS = {
    "joules_per_token": _Figure("gross energy per token", POWER),
    "net_joules_per_token": _Figure("net energy per token", NET_POWER),
    "energy_J": _Figure("gross energy per iteration", POWER),
    "net_energy_J": _Figure("net energy per iteration", NET_POWER),
    "avg_power_W": _Figure("mean power", POWER),
    "integrated_power_W": _Figure("mean power by integrated readings", POWER),
    "idle_power_W": _Figure("power at rest", NET_POWER),
    "net_power_W": _Figure("net power", NET_POWER),
}
_MEANING = (
    "Gross is all that was drawn while the model worked, net what was drawn above the power at rest, with the model "
    "loaded. Energy is the mean power times the mean time of an iteration in the same blocks. The uncertainty is the "
    "largest error that the ticks and the sampling of the meter leave; how accurate its sensor is, is not in it."
)


def build(study: Study) -> Section | None:
    """None where nothing was measured at all, or another tool measured all of it."""
    if not study.ok:
        return None
    metered = [r for r in study.ok if metric(r, "joules_per_token") or metric(r, "avg_power_W")]
    if not metered:
        return Section("Energy", f"No energy was measured. {_reason(study.ours)}.", ()) if study.ours else None
    of_all = f"{len(metered)} of {labels.count(len(study.ok), 'configuration')}"
    lead = f"{of_all} ran under a meter. The least gross energy per token of each size stands in bold."
    workloads = dict.fromkeys(values(record)["workload"] for record in metered)
    parts: list[Part] = [Paragraph(_MEANING)]
    parts += [_table(study, [r for r in metered if values(r)["workload"] == name]) for name in workloads]
    parts += [_methods(metered)] if any(metric(r, "avg_power_W") for r in metered) else []
    said = _warnings(metered)
    parts += [Bullets(said)] if said else []
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
    for name, figure in _METRICS.items():
        found = [metric(record, name) for record in records]
        some = next((m for m in found if m is not None), None)
        if some is not None:
            marked = best if name == "joules_per_token" else set()
            emphases: list[Emphasis] = ["best" if place in marked else "plain" for place in range(len(records))]
            signs = [figure.doubt.sign(record) for record in records]
            unit, cells = tables.cells([tables.measured(m) for m in found], some.unit, emphases, signs)
            heads.append(Column(f"{figure.head}, {unit}", "right"))
            columns.append(cells)
    if any(metric(record, "power_uncertainty") for record in records):
        heads.append(Column("uncertainty, %", "right"))
        columns.append([_uncertainty(record) for record in records])
    rows = tuple((*identity.cells(r), *(column[i] for column in columns)) for i, r in enumerate(records))
    title = labels.workload(values(records[0])["workload"])
    return Table(title, (*identity.columns, *heads), rows, certainty.remarks(records, _METRICS, (NET_POWER,)))


def _thrift(record: Record) -> float | None:
    found = metric(record, "joules_per_token")
    return -found.value if found and found.value is not None else None


def _uncertainty(record: Record) -> Cell:
    """Itself a bound, so it is shown without one."""
    found = metric(record, "power_uncertainty")
    return tables.cell((found.value, None, None) if found and found.value is not None else None, 0.01, "plain")


def _methods(records: Sequence[Record]) -> Table:
    """What the power is of, how it was read, and how much of it the meter saw, a row for each way."""
    ways: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        power = metric(record, "avg_power_W")
        if power is not None:
            ways.setdefault((labels.plain(power.label), _method(record)), []).append(record)
    rows = [
        [scope, method, _span(members, "power_window_s", 1), _span(members, "power_samples", 0), f"{len(members):,}"]
        for (scope, method), members in ways.items()
    ]
    heads = ["power of", "method", "seen for, s", "refreshes of the meter", "configurations"]
    return tables.simple("How the power was read", heads, rows)


def _method(record: Record) -> str:
    """A meter of a GPU says whether its counter answered; that of a processor has a counter and nothing else."""
    counter = metric(record, "power_from_counter")
    if counter is None:
        return "energy counter" if metric(record, "package_power_W") else "not recorded"
    if counter.value in (0, 1):
        return "energy counter" if counter.value else "integrated power readings"
    return "energy counter in some blocks, integrated power readings in others"


def _span(records: Sequence[Record], name: str, places: int) -> str:
    """The least and the most of a metric, to that many decimals."""
    found = sorted(m.value for r in records if (m := metric(r, name)) and m.value is not None)
    if not found:
        return "—"
    low, high = (f"{bound:,.{places}f}" for bound in (found[0], found[-1]))
    return low if low == high else f"{low} to {high}"


def _warnings(records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    """What the meters warn of, each code once with its first message and remedy."""
    found: dict[str, list[Warn]] = {}
    for record in records:
        for code, warning in {warning.code: warning for warning in record.warnings}.items():
            if code in NET_POWER.codes:
                found.setdefault(code, []).append(warning)
    return tuple(
        (
            f"{code.replace('_', ' ').capitalize()}, {labels.count(len(members), 'configuration')}",
            f"{labels.plain(members[0].message)} {labels.plain(members[0].remedy)}",
        )
        for code, members in found.items()
    )
