"""How many times as fast a variant is, as a forest plot a workload: for comparisons whose quality is not known."""

import math
from collections.abc import Mapping, Sequence

from reports import certainty, labels, plots, tables
from reports.document import Figure, Paragraph, Part
from reports.estimate import Ratio
from reports.plots_forest import Row, forest
from reports.study import Pair, Study, values

_Compared = Sequence[tuple[Pair, Ratio]]


def draw(study: Study, compared: _Compared) -> list[Part]:
    """A figure a workload, and what a reader must know of them."""
    workloads = {values(pair.variant)["workload"] for pair, _ in compared}
    looks = {variant: look for look, variant in enumerate(_variants(compared))}
    figures: list[Part] = []
    left_out = 0
    for name in sorted(workloads, key=lambda name: labels.rank("workload", name)):
        members = [(pair, ratio) for pair, ratio in compared if values(pair.variant)["workload"] == name]
        members.sort(key=_variant_order)
        kept = _kept(members)
        left_out += len(members) - len(kept)
        figures.append(_figure(study, labels.workload(name), kept, looks))
    notes = _notes(compared, left_out)
    return [*figures, *([Paragraph(notes)] if notes else [])]


def _notes(compared: _Compared, left_out: int) -> str:
    text = []
    if any(ratio.low is None for _, ratio in compared):
        whys = dict.fromkeys(ratio.why_no_interval for _, ratio in compared if ratio.low is None)
        text.append(f"A hollow mark has no interval ({'; '.join(whys)}).")
    legend = certainty.TIMES.legend(record for pair, _ in compared for record in (pair.variant, pair.reference))
    text += [legend] if legend else []
    if left_out:
        text.append(
            f"{labels.count(left_out, 'comparison')} left out of the figures for legibility, whatever their outcome."
        )
    return " ".join(text)


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
    same = tables.constant(pair.variant for pair, _ in compared)
    rows = [
        Row(
            study.label(pair.variant, (*same, *labels.VARIANT_AXES)) + _sign(pair),
            variant,
            looks[variant],
            ratio.value,
            ratio.low,
            ratio.high,
        )
        for pair, ratio in compared
        for variant in [labels.variant(values(pair.variant))]
    ]
    cells = [
        [row.group, row.label, tables.times(ratio) + _sign(pair), ratio.verdict, _basis(ratio)]
        for row, (pair, ratio) in zip(rows, compared, strict=True)
    ]
    heads = ["variant", "configuration", "speed [95 % interval]", "verdict", "basis"]
    alt = f"Forest plot of {labels.count(len(rows), 'speed ratio')} for {title}, with a vertical line at 1, no change."
    svg = forest(f"{title}, speed of the variant", rows, "slower ← times as fast → faster")
    reference = ", ".join(dict.fromkeys(labels.variant(values(pair.reference)) for pair, _ in compared))
    data = tables.simple(f"{title}: speed relative to {reference}", heads, cells)
    return Figure(svg, alt, f"{title}, relative to {reference}. Bars: 95 % interval.", data)


def _sign(pair: Pair) -> str:
    return certainty.TIMES.sign(pair.variant, pair.reference)


def _basis(ratio: Ratio) -> str:
    if not ratio.paired:
        return "unpaired"
    return f"{labels.count(ratio.n, 'paired round')} of {labels.count(ratio.processes, 'process', 'processes')}"
