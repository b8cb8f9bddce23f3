"""What a pair of processes, one of each side, tells: plain data, and its reading as logarithms of ratios."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.intervals import quantile

#: A benchmark and a metric of it.
Key = tuple[str, str]
TIME = "latency_s"
#: A reading that is no metric: what reading the clock adds to an iteration.
OVERHEAD = "overhead_s"
#: A benchmark that fails on a side is tried once more, lest a single mishap decides.
_TRIES = 2


@dataclass(frozen=True)
class Half:
    """One process of a pair: the samples of its blocks in ns, readings by metric, exact counts, or how it failed."""

    blocks: list[list[int]] = field(default_factory=list)
    readings: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    failed: str | None = None


@dataclass(frozen=True)
class Pair:
    """Two processes that ran one benchmark in turns. Block k of one ran within moments of block k of the other."""

    benchmark: str
    base: Half
    new: Half

    @property
    def usable(self) -> bool:
        """Whether both sides ran."""
        return self.base.failed is None and self.new.failed is None


def given_up(pairs: Iterable[Pair]) -> bool:
    """Whether these pairs of a benchmark failed too often for more of them."""
    return sum(not pair.usable for pair in pairs) >= _TRIES


def of(raw: Mapping[str, Any]) -> Pair:
    """A stored pair."""
    return Pair(raw["benchmark"], Half(**raw["base"]), Half(**raw["new"]))


def log_ratio(pair: Pair, metric: str) -> float | None:
    """ln(new / base) of a metric in one pair; None where a side has no reading of it, or one that is not positive.

    For times it is the median over the pairs of blocks, each block by its lower quartile, which over pairs of identical
    programs varies least (`tests.proofs.paired_noise`).
    """
    if metric == TIME:
        logs = block_logs(pair)
        return median(logs) if logs else None
    before, after = pair.base.readings.get(metric), pair.new.readings.get(metric)
    if before is None or after is None or not (0 < before < math.inf and 0 < after < math.inf):
        return None
    return math.log(after / before)


def block_logs(pair: Pair) -> list[float]:
    """ln(new / base) of the times of each pair of blocks."""
    blocks = zip(pair.base.blocks, pair.new.blocks, strict=False)
    return [_log_s(after) - _log_s(before) for before, after in blocks if before and after]


def values(pairs: Iterable[Pair], metric: str) -> dict[str, list[float]]:
    """Benchmark -> ln(new / base) of each usable pair that has the metric, in order."""
    found: dict[str, list[float]] = {}
    for pair in pairs:
        if pair.usable and (log := log_ratio(pair, metric)) is not None:
            found.setdefault(pair.benchmark, []).append(log)
    return found


def typical(halves: Iterable[Half], metric: str) -> float | None:
    """A side's own value of a metric: the median over its processes; None where there is none. Times in s."""
    found = [value for half in halves if (value := _value(half, metric)) is not None]
    return median(found) if found else None


def _value(half: Half, metric: str) -> float | None:
    if metric != TIME:
        return half.readings.get(metric)
    blocks = [median(block) for block in half.blocks if block]
    return median(blocks) * 1e-9 if blocks else None


def _log_s(samples: Sequence[int]) -> float:
    # A clock that stood still would give 0 ns; it reads whole nanoseconds, so half of one is as near as it tells.
    return math.log(max(quantile(samples, 0.25), 0.5) * 1e-9)
