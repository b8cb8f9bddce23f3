"""Quality against speed, a panel for each family whose quality was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.record import Metric
from reports import certainty, labels, plots_pareto, tables
from reports.document import Figure, Table
from reports.estimate import Ratio
from reports.plots_pareto import MOST_DISCS, Disc
from reports.sections._variant_tables import family_name
from reports.study import Study, point, values
from reports.tradeoffs import Graded, front, grade

#: A family with fewer graded members than this shows no trade-off.
_FEWEST = 3
#: More panels than this make nobody wiser; the tables hold every value.
_MOST_PANELS = 6
_LEGEND = (
    "Throughput is told as a multiple of the plain model's in the same rounds. The area of a disc is that of the "
    "stored weights, the lines through it are 95 % intervals. The stepped line is the front, as far as medians tell: a "
    "pale disc off it is beaten by another in both speed and quality, though it may still be smaller."
)
#: Variants named as better than one that is beaten.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Pareto:
    """The panels, the `id` of every record that stands in one, how to read them and what was left out."""

    figures: tuple[Figure, ...]
    drawn: frozenset[int]
    note: str


def draw(study: Study) -> Pareto:
    """The families with the most graded variants, in the order of the study; none where no quality was measured."""
    families = [graded for family in study.families if len(graded := grade(family)) >= _FEWEST]
    widest = sorted(families, key=lambda graded: -len(graded))[:_MOST_PANELS]
    panels = [_kept(graded) for graded in families if any(graded is one for one in widest)]
    drawn = frozenset(id(each.record) for graded in panels for each in graded)
    undrawn = sum(map(len, widest)) - len(drawn)
    doubts = certainty.TIMES.legend(each.record for graded in panels for each in graded)
    text = [_LEGEND, *([doubts] if doubts else [])] if panels else []
    if len(families) > len(panels):
        rest = labels.count(len(families) - len(panels), "further family", "further families")
        text.append(f"{rest} of no more variants drawn by speed alone, for legibility.")
    if undrawn:
        text.append(f"{labels.count(undrawn, 'slower variant')} left out of the panels of quality for legibility.")
    return Pareto(tuple(_figure(study, graded) for graded in panels), drawn, " ".join(text))


def _kept(graded: Sequence[Graded]) -> tuple[Graded, ...]:
    """As many as can be labelled: the plain one, then the front, then the fastest."""
    ahead = [id(each) for each in front(graded)]
    ranked = sorted(
        graded, key=lambda each: (not point(each.record).is_reference, id(each) not in ahead, -each.merits[0])
    )
    return tuple(ranked[:MOST_DISCS])


def _figure(study: Study, graded: Sequence[Graded]) -> Figure:
    title = family_name(study, graded[0].record)
    differences = graded[0].quality.unit == "nat"
    ahead = [id(each) for each in front(graded)]
    discs = [
        Disc(
            _name(each) + certainty.TIMES.sign(each.record),
            each.speed.value,
            each.quality.value or 0.0,
            _interval(each.speed),
            _interval(each.quality),
            each.stored_B,
            id(each) in ahead,
        )
        for each in graded
    ]
    y_label = "Δ ln perplexity, nat: less is better" if differences else "accuracy: more is better"
    svg = plots_pareto.pareto(title, discs, "times as fast: more is better", y_label, differences=differences)
    alt = f"Scatter plot of quality against speed for {labels.count(len(discs), 'variant')}: {title}."
    return Figure(svg, alt, f"{title}.", _data(title, graded))


def _interval(found: Metric | Ratio) -> tuple[float, float] | None:
    return None if found.low is None or found.high is None else (found.low, found.high)


def _name(each: Graded) -> str:
    return labels.variant(values(each.record)) + (" (plain)" if point(each.record).is_reference else "")


def _data(title: str, graded: Sequence[Graded]) -> Table:
    rows = []
    for each in graded:
        beaten = [_name(other) for other in graded if other.beats(each)]
        differs = each.quality.unit == "nat"
        worth = tables.difference(each.quality).text if differs else tables.percent(each.quality).text
        place = f"beaten by {'; '.join(beaten[:_MOST_NAMED])}" if beaten else "on the front"
        rows.append([_name(each), _speed(each), worth, place])
    head = "Δ ln perplexity, nat" if graded[0].quality.unit == "nat" else "accuracy, %"
    heads = ["variant", "speed [95 % interval]", head, "place"]
    return tables.simple(f"{title}: quality and speed", heads, rows, _note(graded))


def _speed(each: Graded) -> str:
    shown = "1×" if point(each.record).is_reference else tables.times(each.speed)
    return shown + certainty.TIMES.sign(each.record)


def _note(graded: Sequence[Graded]) -> str:
    whys = dict.fromkeys(
        each.speed.why_no_interval
        for each in graded
        if not point(each.record).is_reference and each.speed.why_no_interval
    )
    speeds = [f"Speed without an interval: {'; '.join(whys)}."] if whys else []
    remarks = certainty.remarks([each.record for each in graded], ["accuracy"])
    return " ".join([*speeds, remarks]).strip()
