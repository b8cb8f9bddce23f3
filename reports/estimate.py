"""Ratios of a variant to its reference, paired by round where both were measured interleaved."""

import math
from dataclasses import dataclass
from typing import Literal

from bench.intervals import process_interval
from bench.stopping import log_ratios
from reports import certainty
from reports.study import Pair, metric

Verdict = Literal["faster", "slower", "no measurable difference", "not decided"]

#: An interval that reaches this near to 1 is called no measurable difference: a sweep aims at a half-width of as much,
#: and what a build or a layout of addresses changes by chance is about as large.
NEGLIGIBLE = 0.02


@dataclass(frozen=True)
class Ratio:
    """Variant over reference. `low` and `high` are None where there is no pairing, or fewer than 6 processes for 95 %.

    `n` counts the rounds that both took part in; 0 means that the ratio was taken from two separate medians.
    `processes` counts the pairs of processes to which these rounds belong.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    processes: int = 0

    @property
    def paired(self) -> bool:
        """Whether drift of the machine cancels, since both were measured in the same rounds."""
        return self.n > 0

    @property
    def why_no_interval(self) -> str:
        """Why there are no bounds, in a few words; empty where there are."""
        if self.low is not None and self.high is not None:
            return ""
        return certainty.too_few(self.processes) if self.paired else "unpaired: no interval"

    @property
    def verdict(self) -> Verdict:
        """For a ratio of speeds: what its interval allows to say; nothing is decided without one."""
        if self.low is None or self.high is None:
            return "not decided"
        if self.low <= 1 + NEGLIGIBLE and self.high >= 1 - NEGLIGIBLE:
            return "no measurable difference"
        return "faster" if self.low > 1 else "slower"


def speed(pair: Pair) -> Ratio | None:
    """How many times as fast the variant does the same work: reference time over variant time, 1 for no change.

    Paired: over the rounds that both ran within moments of each other, the median of the ratio of the lower quartiles
    of their two blocks (`bench.stopping.log_ratios`), with its interval from process to process
    (`bench.intervals.process_interval`). Where they share none, the ratio of their `latency_s`, unpaired and without an
    interval. None where either has no time at all.
    """
    before, after = metric(pair.reference, "latency_s"), metric(pair.variant, "latency_s")
    if before is None or after is None or not before.value or not after.value:
        return None
    logs = log_ratios(pair.variant.blocks, pair.reference.blocks) if pair.interleaved else ()
    if logs:
        confidence = float(pair.variant.facts.get("interval_confidence", 0.95))
        value, low, high = process_interval(logs, confidence)
        fast, slow = (None if bound is None else math.exp(-bound) for bound in (low, high))
        return Ratio(math.exp(-value), slow, fast, n=sum(map(len, logs)), processes=len(logs))
    return Ratio(before.value / after.value, None, None, n=0)


def share(pair: Pair, name: str) -> float | None:
    """The metric `name` of the variant as a share of its reference's; None where either is missing or zero."""
    before, after = metric(pair.reference, name), metric(pair.variant, name)
    if before is None or after is None or not before.value or after.value is None:
        return None
    return after.value / before.value
