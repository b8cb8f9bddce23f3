"""The answer first: what was fastest, and what precision and compression bought, in words with their numbers."""

from collections import Counter
from collections.abc import Callable, Sequence

from bench.record import Record
from bench.units import interval
from reports import certainty, labels, tables
from reports.document import Bullets, Paragraph, Part, Section
from reports.estimate import Ratio, speed
from reports.sections._wall_words import waits
from reports.study import Pair, Study, metric, values
from reports.tradeoffs import quality
from reports.verdict import wall_of

ORDER = 10

#: Variants in words, those with the largest effect; the figures and tables have them all.
_MOST_VARIANTS = 8
_EXTREME = {
    "faster": "up to ",
    "slower": "down to ",
    "no measurable difference": "farthest ",
    "not decided": "farthest ",
}
#: A sentence that lists more sizes than this is no sentence; the table has them all.
_MOST_SIZES = 4

_Compared = list[tuple[Pair, Ratio]]


def build(study: Study) -> Section | None:
    """None where nothing was measured and nothing failed."""
    if not study.records:
        return None
    compared = [(pair, ratio) for pair in study.pairs if (ratio := speed(pair))]
    items = [*_walls(study), *_fastest(study), *_variants(study, compared)]
    number = len(study.records)
    gave = (
        f"{len(study.ok)} of {labels.count(number, 'configuration')}"
        if study.failures
        else labels.count(number, "configuration")
    )
    lead = f"{gave} gave a result."
    parts: list[Part] = [Bullets(tuple(items))] if items else []
    legend = certainty.TIMES.legend(study.ok)
    parts += [Paragraph(legend)] if legend else []
    return Section("What was found", " ".join([lead, *_headline(study, compared)]), tuple(parts))


def _headline(study: Study, compared: _Compared) -> list[str]:
    if not compared:
        return []
    faster = [(pair, ratio) for pair, ratio in compared if ratio.verdict == "faster"]
    if not faster:
        return ["No change of precision or compression made anything measurably faster."]
    pair, ratio = max(faster, key=lambda found: found[1].low or 0)
    axes = values(pair.variant)
    where = study.label(pair.variant, labels.VARIANT_AXES)
    return [
        f"The largest gain from precision or compression: {labels.variant(axes)} at {_ratio(pair, ratio)} the speed of "
        f"{labels.variant(values(pair.reference))}{f' ({where})' if where else ''}{_price(pair)}."
    ]


def _ratio(pair: Pair, ratio: Ratio) -> str:
    return tables.times(ratio) + certainty.TIMES.sign(pair.variant, pair.reference)


def _price(pair: Pair) -> str:
    cost = quality(pair.variant)
    if cost is None or cost.unit != "nat":
        return ""
    return f", for a Δ ln perplexity of {labels.unbroken(tables.difference(cost).text)}"


def _walls(study: Study) -> list[tuple[str, str]]:
    """What the points wait for, counted, the most frequent wall first; nothing where that is not known of any."""
    found = Counter(wall for record in study.ok if (wall := wall_of(record)))
    if not found:
        return []
    parts = [f"{number} {waits(wall)}" for wall, number in found.most_common()]
    first, *rest = parts
    number, words = first.split(" ", 1)
    counted = f"{number} of {labels.count(len(study.ok), 'configuration')} wait{'s' * (number == '1')} {words}"
    return [("What they wait for", f"{'; '.join([counted, *rest])}.")]


def _fastest(study: Study) -> list[tuple[str, str]]:
    """For each workload the configuration with the most tokens a second, size by size."""
    items = []
    for workload in dict.fromkeys(values(record)["workload"] for record in study.ok):
        sizes: dict[object, list[Record]] = {}
        for record in study.ok:
            if values(record)["workload"] == workload and metric(record, "throughput_tokens_per_s"):
                sizes.setdefault(tables.league(record), []).append(record)
        parts = [_fastest_of(study, members) for members in list(sizes.values())[:_MOST_SIZES]]
        rest = len(sizes) - _MOST_SIZES
        parts += [f"{labels.count(rest, 'further size')} in the table"] if rest > 0 else []
        if parts:
            items.append((f"{labels.workload(workload)}, fastest", "; ".join(parts) + "."))
    return items


def _fastest_of(study: Study, records: Sequence[Record]) -> str:
    top = max(records, key=lambda r: r.metrics["throughput_tokens_per_s"].value or 0)
    found = top.metrics["throughput_tokens_per_s"]
    label = study.label(top, ["workload"])
    shown = labels.unbroken(interval(found.value, found.low, found.high, found.unit)) + certainty.TIMES.sign(top)
    why = certainty.why_no_interval([top], ["throughput_tokens_per_s"])
    return f"{label}: {shown}" + (f" ({why[0].rstrip('.')})" if why else "")


def _variants(study: Study, compared: _Compared) -> list[tuple[str, str]]:
    variants = _grouped(compared, lambda pair: labels.variant(values(pair.variant)))
    effects = {name: max(abs(ratio.value - 1) for _, ratio in members) for name, members in variants.items()}
    strongest = sorted(effects, key=lambda name: -effects[name])[:_MOST_VARIANTS]
    items = []
    for name, members in variants.items():
        if name in strongest:
            workloads = _grouped(members, lambda pair: labels.workload(values(pair.variant)["workload"]))
            parts = [f"{workload}: {_summary(study, found)}" for workload, found in workloads.items()]
            items.append((name, "; ".join(parts) + "."))
    return items


def _grouped(compared: _Compared, key: Callable[[Pair], str]) -> dict[str, _Compared]:
    groups: dict[str, _Compared] = {}
    for pair, ratio in compared:
        groups.setdefault(key(pair), []).append((pair, ratio))
    return groups


def _summary(study: Study, compared: _Compared) -> str:
    """Counts by verdict, with the most extreme ratio of each and where it was found."""
    total = len(compared)
    parts = []
    for verdict, extreme in _EXTREME.items():
        members = [(pair, ratio) for pair, ratio in compared if ratio.verdict == verdict]
        if not members:
            continue
        pair, ratio = max(members, key=lambda found: abs(found[1].value - 1))
        where = study.label(pair.variant, ["workload", *labels.VARIANT_AXES]) if len(study.pairs) > 1 else ""
        most = extreme if len(members) > 1 else ""
        evidence = f"{most}{_ratio(pair, ratio)}" + (f" with {where}" if where and total > 1 else "")
        word = f"not decided ({ratio.why_no_interval})" if verdict == "not decided" else verdict
        parts.append(f"{word}{f' in {len(members)} of {total}' if total > 1 else ''}, {evidence}")
    return " and ".join(parts)
