"""Precision and compression: what a variant costs in quality and gives in bytes, memory, speed and energy."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from reports import labels, reasons, tables
from reports.document import Bullets, Paragraph, Part, Section
from reports.estimate import NEGLIGIBLE, Ratio, speed
from reports.sections import _pareto_figures, _speed_figures, _variant_tables
from reports.study import Pair, Study, values
from reports.tradeoffs import QUALITY_METRICS, quality, stored

ORDER = 60

#: A variant keeps its quality where it costs no more than this for certain: 0.01 nat is 1 % of perplexity.
_KEPT_NATS = 0.01
#: Variants named at the head of a sentence.
_MOST_NAMED = 6
_TRAIN = "Give --train-budget 60s to train each plain model once and to grade its variants against it."

_Compared = Sequence[tuple[Pair, Ratio]]


def build(study: Study) -> Section | None:
    """None where no variant has a reference to be compared with."""
    compared = [(pair, ratio) for pair in study.pairs if (ratio := speed(pair))]
    if not compared:
        return None
    pareto = _pareto_figures.draw(study)
    parts: list[Part] = [*pareto.figures, *([Paragraph(pareto.note)] if pareto.note else [])]
    # Every comparison is drawn once: those without quality stand in a picture of speed alone.
    parts += _speed_figures.draw(study, [found for found in compared if id(found[0].variant) not in pareto.drawn])
    parts += _variant_tables.tables_of(study, compared)
    gainless = _gainless(compared)
    parts += [Bullets(gainless)] if gainless else []
    parts += [Paragraph(text) for text in (_ungraded(study), _caution(compared)) if text]
    return Section("Precision and compression", _lead(compared), tuple(parts))


def _lead(compared: _Compared) -> str:
    """Which variants pay without a loss of quality; where none was graded, what the section shows."""
    graded = [found for found in compared if (cost := quality(found[0].variant)) and cost.unit == "nat"]
    if not graded:
        return "What each variant takes and gives, beside the plain model that does the same work."
    kept = [(pair, ratio) for pair, ratio in graded if _cost(pair) <= _KEPT_NATS]
    faster = [(pair, ratio) for pair, ratio in kept if ratio.verdict == "faster"]
    smaller = [(share, pair) for pair, _ in kept if (share := _stored_share(pair)) and share < 1 - NEGLIGIBLE]
    said = []
    if faster:
        pair, _ = max(faster, key=lambda found: found[1].low or 0)
        said.append(f"{labels.variant(values(pair.variant))} is the fastest")
    if smaller:
        share, pair = min(smaller, key=lambda found: found[0])
        said.append(f"{labels.variant(values(pair.variant))} the smallest, with {share:.2f}× the stored bytes")
    if not said:
        return "No variant that keeps the perplexity within 1 % of its parent's is faster or smaller."
    if not faster:
        said = [said[0].replace(" the smallest", " is the smallest"), "none is faster"]
    return f"Of the variants that keep the perplexity within 1 % of their parent's, {' and '.join(said)}."


def _cost(pair: Pair) -> float:
    """The most that the variant may cost in quality, in nats a token: the upper bound where there is one."""
    found = quality(pair.variant)
    bounds = (found.high, found.value) if found else ()
    return next((bound for bound in bounds if bound is not None), float("inf"))


def _stored_share(pair: Pair) -> float | None:
    before, after = stored(pair.reference), stored(pair.variant)
    return after / before if before and after else None


def _gainless(compared: _Compared) -> tuple[tuple[str, str], ...]:
    """The variants that made no workload faster, those with the same causes together, and the causes in words."""
    variants: dict[str, list[tuple[Pair, Ratio]]] = {}
    for pair, ratio in compared:
        if ratio.verdict != "not decided":
            variants.setdefault(labels.variant(values(pair.variant)), []).append((pair, ratio))
    groups: dict[tuple[str, ...], dict[str, list[Ratio]]] = {}
    for name, members in variants.items():
        if not _gains(members):
            causes = tuple(dict.fromkeys(cause for pair, _ in members for cause in reasons.causes(pair)))
            groups.setdefault(causes, {})[name] = [ratio for _, ratio in members]
    return tuple(_no_gain(causes, found) for causes, found in groups.items())


def _gains(compared: _Compared) -> bool:
    """Whether the middle one of some workload's ratios is a gain.

    Not whether any ratio is: one comparison in forty looks faster by chance.
    """
    ratios: dict[object, list[float]] = {}
    for pair, ratio in compared:
        ratios.setdefault(values(pair.variant)["workload"], []).append(ratio.value)
    return any(median(members) > 1 + NEGLIGIBLE for members in ratios.values())


def _no_gain(causes: tuple[str, ...], variants: dict[str, list[Ratio]]) -> tuple[str, str]:
    names = list(variants)
    more = f"; and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    ratios = [ratio for members in variants.values() for ratio in members]
    faster = sum(ratio.verdict == "faster" for ratio in ratios)
    counted = f"Faster in {faster or 'none'} of {labels.count(len(ratios), 'comparison')}"
    values = sorted(ratio.value for ratio in ratios)
    spread = f"median {median(values):.2f}×, from {values[0]:.2f}× to {values[-1]:.2f}×"
    middle = f"({tables.times(ratios[0]) if len(ratios) == 1 else spread})"
    why = f": {', and '.join(causes)}." if causes else "; nothing in the records says why."
    return f"No gain in speed from {'; '.join(names[:_MOST_NAMED])}{more}", f"{counted} {middle}{why}"


def _ungraded(study: Study) -> str:
    """Why quality was not measured, where it was not, and how to have it measured."""
    missing = [pair.variant for pair in study.pairs if not quality(pair.variant)]
    if not missing:
        return ""
    given = [r.metrics[name].reason for r in missing for name in QUALITY_METRICS if name in r.metrics]
    known = Counter(labels.plain(reason).rstrip(".") for reason in given if reason)
    reason = known.most_common(1)[0][0] if known else "the records hold no figure of it"
    if len(missing) < len(study.pairs):
        number = labels.count(len(study.pairs), "comparison")
        return f"The quality of the variant is not known in {len(missing)} of {number}: {reason}."
    remedy = "" if "--train-budget" in reason else f" {_TRAIN}"
    return f"No quality was measured. {reason[0].upper()}{reason[1:]}.{remedy}"


def _caution(compared: _Compared) -> str:
    """What to think of the ratios: what is not paired drifts apart, and a twentieth of many intervals miss."""
    decided = sum(ratio.verdict != "not decided" for _, ratio in compared)
    unpaired = sum(not ratio.paired for _, ratio in compared)
    text = []
    if decided >= 20:
        chance = round(decided / 20)
        text.append(f"Of {decided} intervals of speed at 95 %, about {chance} may miss 1 by chance alone.")
    if unpaired:
        text.append(f"{labels.count(unpaired, 'ratio')} unpaired: measured at different times, so drift is part of it.")
    return " ".join(text)
