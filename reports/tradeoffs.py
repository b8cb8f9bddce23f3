"""Quality beside speed: which variants of one family no other beats in both."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from bench.record import Metric, Record
from reports.study import metric, point

#: What quality is judged by, for a model that continues a text and for one that labels it.
QUALITY_METRICS = ("delta_ln_perplexity", "accuracy")


@dataclass(frozen=True)
class Graded:
    """A record whose quality, speed and stored bytes are all known; ratios and the front need nothing else."""

    record: Record
    throughput: Metric
    quality: Metric
    stored_B: float

    @cached_property
    def merits(self) -> tuple[float, float]:
        """Tokens a second, and quality as a number of which more is better."""
        return self.throughput.value or 0.0, (self.quality.value or 0.0) * (self.quality.direction or 1)

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


def grade(records: Iterable[Record]) -> tuple[Graded, ...]:
    """Those of `records` that can be placed beside each other, of several runs of one point the latest.

    Where some are judged by one metric and some by another, those of the more frequent one.
    """
    latest = {record.point: record for record in sorted(records, key=lambda r: r.started_at)}
    graded = []
    for record in latest.values():
        speed, worth, size = metric(record, "throughput_tokens_per_s"), quality(record), stored(record)
        if speed and worth and size and (speed.value or 0.0) > 0 and math.isfinite(worth.value or 0.0):
            graded.append(Graded(record, speed, worth, size))
    units = [each.quality.unit for each in graded]
    return tuple(each for each in graded if each.quality.unit == max(units, key=units.count))


def front(graded: Iterable[Graded]) -> tuple[Graded, ...]:
    """Those that no other beats, the slowest first."""
    members = list(graded)
    kept = [each for each in members if not any(other.beats(each) for other in members)]
    return tuple(sorted(kept, key=lambda each: each.merits))
