"""Quality beside speed: which variants of one family no other beats in both."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bench.record import Metric, Record
from reports.estimate import Ratio, speed
from reports.study import Family, metric, point

#: What quality is judged by, for a model that continues a text and for one that labels it.
QUALITY_METRICS = ("delta_ln_perplexity", "accuracy")


@dataclass(frozen=True)
class Graded:
    """A record whose quality and stored bytes are known, and its speed over that of the plain model of its family.

    The speed is the paired ratio: between two medians of throughput lies all the drift of a machine.
    """

    record: Record
    speed: Ratio
    quality: Metric
    stored_B: float

    @cached_property
    def merits(self) -> tuple[float, float]:
        """Speed, and quality as a number of which more is better."""
        return self.speed.value, (self.quality.value or 0.0) * (self.quality.direction or 1)

    def beats(self, other: "Graded") -> bool:
        """Whether this is no worse in both speed and quality, and better in one of them (Pareto dominance)."""
        no_worse = all(mine >= theirs for mine, theirs in zip(self.merits, other.merits, strict=True))
        return no_worse and self.merits != other.merits


def quality(record: Record) -> Metric | None:
    """The metric by which the record's quality is judged; None where it was not measured.

    A plain point whose perplexity is known is its own parent: it differs from it by 0, whether or not that was noted.
    """
    found = next((m for name in QUALITY_METRICS if (m := metric(record, name))), None)
    if found is None and metric(record, "perplexity") and point(record).is_reference:
        return Metric(0.0, "nat", -1, "Δ ln perplexity")
    return found


def stored(record: Record) -> float | None:
    """Bytes of the stored weights."""
    found = record.facts.get("stored_weights_B")
    return float(found) if isinstance(found, (int, float)) and found > 0 else None


def grade(family: Family) -> tuple[Graded, ...]:
    """The plain model of `family` and the variants that can be placed beside it, of several runs of one the latest.

    Where some are judged by one metric and some by another, those of the more frequent one. Empty without a plain one.
    """
    pairs = [(pair, ratio) for pair in family.pairs if (ratio := speed(pair))]
    speeds = {id(pair.reference): Ratio(1.0, None, None, 0) for pair, _ in pairs}
    speeds |= {id(pair.variant): ratio for pair, ratio in pairs}
    latest = {r.point: r for r in sorted(family.records, key=lambda r: r.started_at) if id(r) in speeds}
    graded = []
    for record in latest.values():
        worth, size = quality(record), stored(record)
        if worth and size and math.isfinite(worth.value or 0.0):
            graded.append(Graded(record, speeds[id(record)], worth, size))
    units = [each.quality.unit for each in graded]
    kept = tuple(each for each in graded if each.quality.unit == max(units, key=units.count))
    return kept if any(point(each.record).is_reference for each in kept) else ()


def front(graded: Iterable[Graded]) -> tuple[Graded, ...]:
    """Those that no other beats, the slowest first."""
    members = list(graded)
    kept = [each for each in members if not any(other.beats(each) for other in members)]
    return tuple(sorted(kept, key=lambda each: each.merits))
