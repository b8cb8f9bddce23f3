"""Whether a change is beyond its limit, decided from pairs of processes at a few looks: pass, fail, or cannot tell.

Each value is ln(new / base) of one pair of fresh processes, as the median of its paired blocks, so the values are
independent of each other and symmetric about the true change. Bounds are those of the signed-rank test (Wilcoxon 1945),
a test by sign flips: whatever the noise is like, each value is as likely to lie above the truth as below. Inverted, it
gives Hodges and Lehmann's estimate (1963) and its interval, without assuming a shape.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

#: A gate may raise a false alarm in one run of a hundred, and call a change of its limit harmless in one of a hundred.
ALPHA = 0.01
#: Numbers of pairs of processes at which the answer is looked for. Ten are the fewest with room for a part of alpha.
LOOKS = (10, 16, 26, 42)
#: Reading the clock is a part of each iteration, and dilutes its change; above this share of it a reader is told.
MOST_OVERHEAD = 0.05
#: It fails where the change is for certain larger than this share of the limit.
MARGIN = 0.4

Outcome = Literal["pass", "fail", "undecided"]


@dataclass(frozen=True)
class Limit:
    """How much more of a metric is accepted: `share` 0.05 is 5 %. Its margin is what fails when surely exceeded."""

    share: float

    @property
    def log(self) -> float:
        """ln(1 + share)."""
        return math.log1p(self.share)

    @property
    def margin_log(self) -> float:
        """ln(1 + 0.4 share): +2 % for a limit of 5 %."""
        return math.log1p(MARGIN * self.share)


@dataclass(frozen=True)
class Estimate:
    """ln(new / base): Hodges and Lehmann's estimate with its bounds, each one-sided at `confidence`.

    A bound is None where there are too few pairs for it. `pairs` counts pairs of processes.
    """

    value: float
    low: float | None
    high: float | None
    confidence: float
    pairs: int

    @property
    def resolution(self) -> float | None:
        """How far above the estimate its upper bound lies: about what change could be told. None without bounds."""
        return None if self.high is None else self.high - self.value


def look_alpha(looks: Sequence[int] = LOOKS, alpha: float = ALPHA) -> float:
    """The chance of error that each look may spend: an equal part (Bonferroni)."""
    return alpha / len(looks)


def estimate(logs: Sequence[float], alpha: float) -> Estimate:
    """The middle of all averages of two values (each with itself too), and their order statistics as bounds.

    Raises ValueError for no values at all.
    """
    if not len(logs):
        raise ValueError("no values")
    averages = walsh(logs)
    rank = _critical(len(logs), alpha)
    low, high = (None, None) if rank is None else (float(averages[rank - 1]), float(averages[-rank]))
    return Estimate(float(np.median(averages)), low, high, 1 - alpha, len(logs))


def walsh(logs: Sequence[float]) -> np.ndarray:
    """The averages (x_i + x_j) / 2 over i <= j, in order: n (n + 1) / 2 of them."""
    values = np.asarray(logs, dtype=float)
    first, second = np.triu_indices(len(values))
    return np.sort((values[first] + values[second]) / 2)


def p_above(logs: Sequence[float], threshold: float) -> float:
    """The chance of values so far above `threshold` if the true change were no larger than it."""
    above = int(np.sum(walsh(logs) > threshold))
    return float(_tail(len(logs))[_most(len(logs)) - above])


def p_below(logs: Sequence[float], threshold: float) -> float:
    """The chance of values so far below `threshold` if the true change were no smaller than it."""
    return p_above([-value for value in logs], -threshold)


def holm(p_values: Mapping[str, float], alpha: float) -> set[str]:
    """The names that are significant together: in order of p, each against alpha / (those left) (Holm 1979)."""
    found: set[str] = set()
    for place, name in enumerate(sorted(p_values, key=lambda each: p_values[each])):
        if p_values[name] > alpha / (len(p_values) - place):
            break
        found.add(name)
    return found


def outcomes(
    values: Mapping[str, Sequence[float]], limits: Mapping[str, Limit], alpha: float, family: int | None = None
) -> dict[str, Outcome]:
    """What a look says of each of the benchmarks in `values` (name -> ln(worse by) of each pair of processes).

    Alarms are Holm's over the benchmarks: one false alarm in all of them counts as one. `family` is how many there are
    where some have been decided at earlier looks; they count as not significant here, which is on the safe side. A
    pass is judged for each by itself, since a change that slips through does so in one benchmark.
    """
    p_values = {name: p_above(logs, limits[name].margin_log) for name, logs in values.items()}
    extra = {f"decided before {number}": 1.0 for number in range((family or len(values)) - len(values))}
    failed = holm(p_values | extra, alpha)
    found: dict[str, Outcome] = {}
    for name, logs in values.items():
        if name in failed:
            found[name] = "fail"
        else:
            found[name] = "pass" if p_below(logs, limits[name].log) <= alpha else "undecided"
    return found


@cache
def _tail(n: int) -> np.ndarray:
    """P(T <= t) for t = 0 ... n (n + 1) / 2, where T is the sum of those ranks 1 ... n whose sign is positive.

    Each of the 2^n choices of signs is as likely as any other; how many give a sum is counted rank by rank.
    """
    counts = np.zeros(_most(n) + 1)
    counts[0] = 1.0
    for rank in range(1, n + 1):
        counts[rank:] = (counts[rank:] + counts[: _most(n) + 1 - rank]) / 2  # halved: 2^-n without overflow
        counts[:rank] /= 2
    return np.minimum(np.cumsum(counts), 1.0)


def _most(n: int) -> int:
    return n * (n + 1) // 2


@cache
def _critical(n: int, alpha: float) -> int | None:
    """The rank of the Walsh average that is a lower bound at 1 - alpha; None where n is too small for one."""
    fitting = int(np.searchsorted(_tail(n), alpha, side="right"))
    return fitting or None
