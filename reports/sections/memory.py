"""Memory against size: what the counts and a tracker explain, part by part, of the peak that was measured."""

from collections.abc import Mapping, Sequence

from bench.memory_parts import PARTS, UNTRACKED, tracked
from bench.record import Metric, Record
from bench.units import digits, quantity
from reports import labels, plots, tables
from reports.document import Figure, Paragraph, Section, Table
from reports.plots import Stack
from reports.study import Study, memory, metric, point, values

ORDER = 50

#: The parts that costs count; work space that is kept for backward is among the activations there.
_COUNTED = tuple(part for part in PARTS if part != "workspace")

_RESIDUAL = (
    "The residual is the measured peak less the bytes that the row explains. Where it is positive, that memory belongs "
    "to no tensor that was alive: blocks that were freed but that the allocator keeps for later (on a CPU, the heap of "
    "the C library), and buffers and code of libraries. Where it is negative, not everything that the row adds up took "
    "memory at one moment: the counts add gradients to activations, though the former come as the latter go, and pages "
    "that were set aside but never written to take none."
)
_TRACKER = (
    "The tracker ran one iteration more, after everything was measured, and shows the moment at which all parts "
    "together took the most; “most” is the most of one part at any moment. Work space is what a library takes for "
    "itself; what it keeps of it for the backward pass, the counts have among the activations."
)


def build(study: Study) -> Section | None:
    """None where no record has both a prediction and something to say about memory."""
    known = [r for r in study.records if _counted(r) and (memory(r) or r.status in ("oom", "does_not_fit"))]
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
    seen = any(tracked(record.facts) for record in plain)
    notes = [*([_TRACKER] if seen else []), *_why_untracked(plain)]
    if left_out:
        notes.append(f"{labels.count(left_out, 'smaller configuration')} left out for legibility.")
    lead = "Bars are counted from the shape of the model alone, without running it; diamonds are the measured peak."
    if seen:
        lead = (
            "Bars are counted from the shape of the model alone, without running it; the stroke on each is what a "
            "tracker saw tensors and work space take in one iteration, the diamond the peak that was measured."
        )
    lead = " ".join([lead, *([told] if (told := _cliff(study)) else [])])
    more = [Paragraph(" ".join(notes))] if notes else []
    return Section("Memory and size", lead, (*figures, Paragraph(_RESIDUAL), *more))


def _cliff(study: Study) -> str:
    """How far the fullest configuration is from where memory runs out; empty where that is not known."""
    found = [
        (held.value / limit_B, held.value, limit_B, r) for r in study.ok for held, limit_B in _held(r) if held.value
    ]
    if not found:
        return ""
    share, held_B, limit_B, record = max(found, key=lambda each: each[0])
    return (
        f"The fullest, {study.label(record)}, held {quantity(held_B, 'B')} of {quantity(limit_B, 'B')} "
        f"({digits(100 * share, 2)} %): memory runs out at {digits(1 / share, 2)} times as much."
    )


def _held(record: Record) -> list[tuple[Metric, float]]:
    """What the whole process took at its peak, and what it may take: of its GPU, or of the host."""
    pairs = [
        ("max_allocated_B", record.host.get("accelerator_memory_B")),
        ("max_ram_B", (record.observation and record.observation.limit_B) or record.host.get("memory_B")),
    ]
    held = [(metric(record, name), limit_B) for name, limit_B in pairs]
    return [(found, float(limit_B)) for found, limit_B in held if found and isinstance(limit_B, int) and limit_B > 0]


def _counted(record: Record) -> float:
    return float(sum(record.costs.get(f"{part}_B", 0) for part in _COUNTED))


def _why_untracked(records: Sequence[Record]) -> list[str]:
    """One sentence with each reason and how many of the measured records have it; nothing where all were tracked."""
    reasons: dict[str, int] = {}
    for record in records:
        if memory(record) and tracked(record.facts) is None:
            reason = labels.plain(record.facts.get(UNTRACKED, "no tracker ran")).rstrip(".")
            reasons[reason] = reasons.get(reason, 0) + 1
    told = [f"{reason} ({labels.count(number, 'configuration')})" for reason, number in reasons.items()]
    return [f"Not tracked: {'; '.join(told)}."] if told else []


def _kept(records: Sequence[Record]) -> list[Record]:
    """The hungriest, in the order of the study: where memory runs out is the question."""
    ranked = sorted(records, key=_counted, reverse=True)[: plots.MOST_ROWS]
    chosen = {id(record) for record in ranked}
    return [record for record in records if id(record) in chosen]


def _figure(study: Study, title: str, records: Sequence[Record]) -> Figure:
    used = [part for part in _COUNTED if any(record.costs.get(f"{part}_B") for record in records)]
    alike = all(point(record).is_reference for record in records)
    hidden = ("workload", *labels.VARIANT_AXES) if alike else ("workload",)
    named = [(record, study.label(record, hidden)) for record in records]
    rows = [
        Stack(
            label,
            tuple(float(record.costs.get(f"{part}_B", 0)) for part in used),
            found.value if (found := memory(record)) else None,
            labels.status(record),
            float(seen.peak_B) if (seen := tracked(record.facts)) else None,
        )
        for record, label in named
    ]
    alt = f"Bars of counted memory with the measured peak for {labels.count(len(rows), 'configuration')} of {title}."
    drawn = plots.stacks(f"{title}, memory", [f"counted {PARTS[part]}" for part in used], rows)
    return Figure(drawn, alt, f"{title}. {_measure(records)}", _data(title, named))


def _data(title: str, named: Sequence[tuple[Record, str]]) -> Table:
    """Two rows a configuration, by the counts and by the tracker, each with what it leaves unexplained."""
    seen = {id(record): tracked(record.facts) for record, _ in named}
    used = [
        part
        for part in PARTS
        if any(r.costs.get(f"{part}_B") or ((found := seen[id(r)]) and found.most[part]) for r, _ in named)
    ]
    rows = []
    for record, label in named:
        counts = {part: float(record.costs[f"{part}_B"]) for part in used if f"{part}_B" in record.costs}
        complete = all(f"{part}_B" in record.costs for part in _COUNTED)
        told = {part: quantity(count, "B") for part, count in counts.items()}
        rows.append(_row(record, label, "counts", used, told, sum(counts.values()), complete=complete))
        if (found := seen[id(record)]) is not None:
            told = {part: _with_most(found.at_peak[part], found.most[part]) for part in used}
            rows.append(_row(record, label, "tracker", used, told, found.peak_B))
    heads = ["configuration", "by", *(PARTS[part] for part in used), "in all", "measured peak", "residual"]
    return tables.simple(f"{title}: what the measured memory is made of", heads, rows)


def _row(
    record: Record,
    label: str,
    by: str,
    used: Sequence[str],
    told: Mapping[str, str],
    explained_B: float,
    *,
    complete: bool = True,
) -> list[str]:
    """One row of the table; without a residual where the counts are not `complete`."""
    found = memory(record)
    peak_B = None if found is None else found.value
    peak = labels.status(record) if peak_B is None else quantity(peak_B, "B")
    residual = "—" if peak_B is None or not complete else _residual(peak_B, explained_B)
    return [label, by, *(told.get(part, "—") for part in used), quantity(explained_B, "B"), peak, residual]


def _with_most(at_peak_B: int, most_B: int) -> str:
    """Bytes of a part at the peak, and its own most where that is seen to be more."""
    shown, most = quantity(at_peak_B, "B"), quantity(most_B, "B")
    return shown if shown == most else f"{shown} (most {most})"


def _residual(peak_B: float, explained_B: float) -> str:
    """What is not explained, in bytes with its sign and as a share of the peak: `+5.10 MiB (12 %)`."""
    rest_B = peak_B - explained_B
    if not peak_B:
        return "—"
    sign = "−" if rest_B < 0 else "+"
    return labels.unbroken(f"{sign}{quantity(abs(rest_B), 'B')} ({tables.signed(100 * rest_B / peak_B, 0)} %)")


def _measure(records: Sequence[Record]) -> str:
    """Which measure of memory the diamonds are."""
    names = dict.fromkeys(labels.plain(found.label) for r in records if (found := memory(r)))
    return f"Measured: {', '.join(names)}." if names else "Nothing was measured."
