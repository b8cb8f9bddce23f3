"""Precision and compression as ratios: what a variant bought in speed, memory and stored bytes."""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from bench.record import Record
from bench.units import quantity
from reports import labels, plots, tables
from reports.document import Figure, Paragraph, Section, Table
from reports.estimate import Ratio, share, speed
from reports.plots import Row
from reports.study import MEMORY_METRICS, Pair, Study, metric, values

ORDER = 60

_HIDDEN = ("workload", *labels.VARIANT_AXES)
_Compared = Sequence[tuple[Pair, Ratio]]


def build(study: Study) -> Section | None:
    """None where no variant has a reference to be compared with."""
    compared = [(pair, ratio) for pair in study.pairs if (ratio := speed(pair))]
    if not compared:
        return None
    workloads = dict.fromkeys(values(pair.variant)["workload"] for pair, _ in compared)
    looks = {variant: look for look, variant in enumerate(_variants(compared))}
    figures: list[Figure] = []
    left_out = 0
    for name in workloads:
        members = [(pair, ratio) for pair, ratio in compared if values(pair.variant)["workload"] == name]
        members.sort(key=_variant_order)
        kept = _kept(members)
        left_out += len(members) - len(kept)
        figures.append(_figure(study, labels.workload(name), kept, looks))
    notes = [_note(compared)]
    if left_out:
        notes.append(
            f"{labels.count(left_out, 'comparison')} left out of the figures for legibility, whatever their outcome."
        )
    lead = "How many times as fast a variant does the same work as the plain model: right of the line is faster."
    sized = _size_table(study.pairs)
    return Section(
        "Precision and compression", lead, (*figures, Paragraph(" ".join(notes)), *([sized] if sized else []))
    )


def _variant_order(found: tuple[Pair, Ratio]) -> tuple[object, ...]:
    return labels.order(values(found[0].variant), labels.VARIANT_AXES)


def _variants(compared: _Compared) -> list[str]:
    ordered = sorted(compared, key=_variant_order)
    return list(dict.fromkeys(labels.variant(values(pair.variant)) for pair, _ in ordered))


def _kept(compared: _Compared) -> _Compared:
    """As many of each variant as there is room for, evenly spaced: chosen by place, never by outcome."""
    variants: dict[str, list[tuple[Pair, Ratio]]] = {}
    for pair, ratio in compared:
        variants.setdefault(labels.variant(values(pair.variant)), []).append((pair, ratio))
    room = max(plots.MOST_ROWS // len(variants), 1)
    kept = [found for members in variants.values() for found in members[:: math.ceil(len(members) / room)]]
    return kept[: plots.MOST_ROWS]


def _figure(study: Study, title: str, compared: _Compared, looks: Mapping[str, int]) -> Figure:
    rows = [
        Row(study.label(pair.variant, _HIDDEN), variant, looks[variant], ratio.value, ratio.low, ratio.high)
        for pair, ratio in compared
        for variant in [labels.variant(values(pair.variant))]
    ]
    cells = [
        [row.group, row.label, tables.times(ratio), ratio.verdict, _basis(ratio)]
        for row, (_, ratio) in zip(rows, compared, strict=True)
    ]
    heads = ["variant", "configuration", "speed [95 % interval]", "verdict", "basis"]
    alt = f"Forest plot of {labels.count(len(rows), 'speed ratio')} for {title}, with a vertical line at 1, no change."
    svg = plots.forest(f"{title}, speed of the variant", rows, "slower ← times as fast → faster")
    reference = ", ".join(dict.fromkeys(labels.variant(values(pair.reference)) for pair, _ in compared))
    data = tables.simple(f"{title}: speed relative to {reference}", heads, cells)
    return Figure(svg, alt, f"{title}, relative to {reference}. Bars: 95 % interval.", data)


def _basis(ratio: Ratio) -> str:
    return labels.count(ratio.n, "paired round") if ratio.paired else "unpaired"


def _note(compared: _Compared) -> str:
    """What to think of the intervals: a twentieth of them miss, and hollow marks have none."""
    decided = [ratio for _, ratio in compared if ratio.verdict != "not decided"]
    unpaired = sum(not ratio.paired for _, ratio in compared)
    text = []
    if len(decided) >= 20:
        chance = round(len(decided) / 20)
        text.append(f"Of {len(decided)} intervals at 95 %, about {chance} may miss 1 by chance alone.")
    if unpaired:
        text.append(f"{labels.count(unpaired, 'ratio')} unpaired: taken from separate runs, so drift is part of it.")
    rule = "An interval that reaches within 2 % of 1 is called no measurable difference; a hollow mark has no interval."
    return " ".join([rule, *text])


def _size_table(pairs: Sequence[Pair]) -> Table | None:
    """Stored bytes and peak memory by variant and size: unlike speed, these hardly depend on the batch."""
    groups: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        axes = values(pair.variant)
        groups.setdefault((labels.variant(axes), labels.value(axes["size"])), []).append(pair)
    rows = []
    for (variant, size), members in groups.items():
        before, after = _stored(members[0].reference), _stored(members[0].variant)
        if before and after:
            stored = f"{quantity(before, 'B')} → {quantity(after, 'B')} ({after / before:.2f}×)"
            rows.append([variant, size, stored, _peaks(members)])
    if not rows:
        return None
    heads = ["variant", "size", "stored weights", "peak memory, median"]
    return tables.simple("What the variant takes, relative to the plain model", heads, rows)


def _stored(record: Record) -> float | None:
    found = record.facts.get("stored_weights_B")
    return float(found) if isinstance(found, (int, float)) else None


def _peaks(pairs: Sequence[Pair]) -> str:
    shares = [found for pair in pairs if (found := _peak_share(pair)) is not None]
    return f"{median(shares):.2f}× ({min(shares):.2f} to {max(shares):.2f})" if shares else "—"


def _peak_share(pair: Pair) -> float | None:
    """Both sides by the same measure: an allocator's peak is not compared with the growth of a process."""
    name = next((n for n in MEMORY_METRICS if metric(pair.variant, n) and metric(pair.reference, n)), None)
    return share(pair, name) if name else None
