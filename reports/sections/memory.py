"""Memory against size: what the counts predict, part by part, and the peak that was measured."""

from collections.abc import Sequence

from bench.record import Record
from bench.units import quantity
from reports import labels, plots, tables
from reports.document import Figure, Paragraph, Section
from reports.plots import Stack
from reports.study import Study, memory, point, values

ORDER = 50

_PARTS = {
    "weights_B": "weights",
    "gradients_B": "gradients",
    "optimizer_B": "optimizer state",
    "activations_B": "activations",
    "state_B": "decoding state",
}


def build(study: Study) -> Section | None:
    """None where no record has both a prediction and something to say about memory."""
    known = [r for r in study.records if _predicted(r) and (memory(r) or r.status in ("oom", "does_not_fit"))]
    plain = [r for r in known if point(r).is_reference] or known
    if not any(memory(r) for r in plain):
        return None
    workloads = dict.fromkeys(values(record)["workload"] for record in plain)
    figures: list[Figure] = []
    left_out = 0
    for name in workloads:
        members = [r for r in plain if values(r)["workload"] == name]
        kept = _kept(members)
        left_out += len(members) - len(kept)
        figures.append(_figure(study, labels.workload(name), kept))
    note = (
        "A diamond to the right of its bar is memory that the counts do not cover: the libraries' work space, and what "
        "the allocator rounds up or keeps."
    )
    notes = [
        note,
        *([f"{labels.count(left_out, 'smaller configuration')} left out for legibility."] if left_out else []),
    ]
    lead = "Bars are predicted from the shape of the model alone, without running it; diamonds are what was measured."
    return Section("Memory and size", lead, (*figures, Paragraph(" ".join(notes))))


def _predicted(record: Record) -> float:
    return float(sum(record.costs.get(part, 0) for part in _PARTS))


def _kept(records: Sequence[Record]) -> list[Record]:
    """The hungriest, in the order of the study: where memory runs out is the question."""
    ranked = sorted(records, key=_predicted, reverse=True)[: plots.MOST_ROWS]
    chosen = {id(record) for record in ranked}
    return [record for record in records if id(record) in chosen]


def _figure(study: Study, title: str, records: Sequence[Record]) -> Figure:
    used = [part for part in _PARTS if any(record.costs.get(part) for record in records)]
    names = [f"predicted {_PARTS[part]}" for part in used]
    alike = all(point(record).is_reference for record in records)
    hidden = ("workload", *labels.VARIANT_AXES) if alike else ("workload",)
    rows = [
        Stack(
            study.label(r, hidden),
            tuple(float(r.costs.get(part, 0)) for part in used),
            found.value if (found := memory(r)) else None,
            labels.status(r),
        )
        for r in records
    ]
    heads = ["configuration", *(f"{_PARTS[part]}, predicted" for part in used), "predicted in all", "measured peak"]
    cells = [
        [
            row.label,
            *(quantity(part, "B") for part in row.parts),
            quantity(sum(row.parts), "B"),
            row.words if row.measured is None else quantity(row.measured, "B"),
        ]
        for row in rows
    ]
    data = tables.simple(f"{title}: predicted and measured memory", heads, cells)
    alt = f"Bars of predicted memory with the measured peak for {labels.count(len(rows), 'configuration')} of {title}."
    return Figure(plots.stacks(f"{title}, memory", names, rows), alt, f"{title}. {_measure(records)}", data)


def _measure(records: Sequence[Record]) -> str:
    """Which measure of memory the diamonds are."""
    names = dict.fromkeys(labels.plain(found.label) for r in records if (found := memory(r)))
    return f"Measured: {', '.join(names)}." if names else "Nothing was measured."
