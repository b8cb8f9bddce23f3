"""Ratios of a variant to its reference, paired by round where both were measured interleaved."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.intervals import median_interval
from bench.record import Record
from reports.study import Pair, metric

Verdict = Literal["faster", "slower", "no measurable difference", "not decided"]

#: An interval that reaches this near to 1 is called no measurable difference: the rounds come from a few processes, and
#: two processes of the very same program differ by about as much (addresses, page colours), which rounds do not show.
NEGLIGIBLE = 0.02


@dataclass(frozen=True)
class Ratio:
    """Variant over reference. `low` and `high` are None where there is no pairing, or fewer than 6 rounds for 95 %.

    `n` counts the rounds that both took part in; 0 means that the ratio was taken from two separate medians.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def paired(self) -> bool:
        """Whether drift of the machine cancels, since both were measured in the same rounds."""
        return self.n > 0

    @property
    def verdict(self) -> Verdict:
        """For a ratio of speeds: what its interval allows to say; nothing is decided without one."""
        if self.low is None or self.high is None:
            return "not decided"
        if self.low <= 1 + NEGLIGIBLE and self.high >= 1 - NEGLIGIBLE:
            return "no measurable difference"
        return "faster" if self.low > 1 else "slower"


def round_medians(record: Record) -> dict[tuple[str, int], float]:
    """Median time of one iteration, in seconds, in each group and round of the timed blocks.

    Several blocks of one round (one a process) count as the median of their medians, so each has the same weight.
    """
    rounds: dict[tuple[str, int], list[float]] = {}
    for block in record.blocks:
        if block.kind == "timed" and block.samples_ns:
            rounds.setdefault((block.group, block.round), []).append(float(np.median(block.samples_ns)) * 1e-9)
    return {place: float(np.median(medians)) for place, medians in sorted(rounds.items())}


def speed(pair: Pair) -> Ratio | None:
    """How many times as fast the variant does the same work: reference time over variant time, 1 for no change.

    Paired: the median over rounds of the ratio of the two medians of that round, with the distribution-free
    order-statistics interval over rounds (`bench.intervals.median_interval`). Where they share none, the ratio
    of their `latency_s`, unpaired and without an interval. None where either has no time at all.
    """
    if pair.interleaved:
        variant, reference = round_medians(pair.variant), round_medians(pair.reference)
        shared = sorted(variant.keys() & reference.keys())
        times = np.array([[reference[n], variant[n]] for n in shared]).reshape(-1, 2)  # (rounds, 2)
        ratios = times[:, 0] / times[:, 1] if (times > 0).all() else np.empty(0)  # (rounds,)
        if len(ratios):
            return Ratio(*median_interval(ratios.tolist()), n=len(ratios))
    before, after = metric(pair.reference, "latency_s"), metric(pair.variant, "latency_s")
    if before is None or after is None or not before.value or not after.value:
        return None
    return Ratio(before.value / after.value, None, None, n=0)


def share(pair: Pair, name: str) -> float | None:
    """The metric `name` of the variant as a share of its reference's; None where either is missing or zero."""
    before, after = metric(pair.reference, name), metric(pair.variant, name)
    if before is None or after is None or not before.value or after.value is None:
        return None
    return after.value / before.value
