"""Where a series of runs changes its level, and whether it drifts. Logarithms in, no shape of noise assumed.

Changes are found by E-Divisive (Matteson & James, JASA 2014), which Hunter brought to benchmarks (Fleming et al., ICPE
2023): the split with the largest energy statistic, held against the same search on shuffled runs, and again on both
sides. It is written out here. apache-otava 0.8, the successor of Hunter, takes numpy 2.2 alone and brings clients of
Slack and BigQuery; ruptures 1.1.10 finds splits and tests none, so each shuffle would have to run its search.

What the tests take for granted is that runs without a change could have come in any order. A machine that is slow for
hours, or a neighbour who stays for several runs, breaks that and is then found as what it is: a change of the level.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

#: The chance that a reading of the history finds a change where there is none, over all series that are read.
ALPHA = 0.05
#: Runs on each side of a change: two could be a pair of outliers.
SIDE = 3
#: Shuffles at most; a search stops after `_ENOUGH` of them that split as well (Besag & Clifford, Biometrika 1991).
_SHUFFLES, _ENOUGH, _BATCH = 1_999, 60, 199
#: Differences between two sides up to which U's distribution is counted out; above, it is as good as normal.
_EXACT = 400


def least_p(runs: int) -> float:
    """The p of the clearest change that so many runs can show, in their middle.

    Of the C(n, n / 2) ways to divide n runs, 2 split as well as the true one; and shuffles are finite.
    """
    return max(2 / math.comb(runs, runs // 2), 1 / (1 + _SHUFFLES))


def fewest() -> int:
    """With fewer runs than this, the clearest change is not told from chance: half of alpha is for changes alone."""
    return next(n for n in range(2 * SIDE, 100) if least_p(n) <= ALPHA / 2)


@dataclass(frozen=True)
class Split:
    """A change before the value at place `at`. `p` is the chance of so clear a split if the runs had no order."""

    at: int
    p: float


@dataclass(frozen=True)
class Shift:
    """ln(after / before) with its 95 % interval; no bounds where the sides are too short for one."""

    log: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Slope:
    """ln(growth) from one run to the next with its 95 % interval, and p of no trend."""

    log: float
    low: float
    high: float
    p: float


def splits(logs: Sequence[float], most_p: float = ALPHA) -> list[Split]:
    """The changes in the order in which they were found, each with its p; ends at the first that is above `most_p`.

    Seeded, so that a history reads the same every time.
    """
    values = np.asarray(logs, dtype=float)
    random = np.random.default_rng(len(values))
    found: list[Split] = []
    while True:
        edges = [0, *sorted(split.at for split in found), len(values)]
        parts = [slice(*ends) for ends in itertools.pairwise(edges) if ends[1] - ends[0] >= 2 * SIDE]
        candidates = [(*_best(values[part]), part.start) for part in parts]
        if not candidates:
            return found
        energy, at, start = max(candidates)
        p = _p(energy, [values[part] for part in parts], random) if energy > 0 else 1.0
        if p > most_p:
            return found
        found.append(Split(start + at, p))


def _best(values: np.ndarray) -> tuple[float, int]:
    """The largest energy of a split of `values`, and where the split is."""
    energies = _energies(values[None])[0]
    place = int(np.argmax(energies))
    return float(energies[place]), int(_intervals(len(values))[1][place])


def _p(energy: float, parts: Sequence[np.ndarray], random: np.random.Generator) -> float:
    """How often shuffles within the parts split at least as well: (1 + such) / (1 + shuffles)."""
    tried = such = 0
    least = energy * (1 - 1e-9)  # the same split in another order of summation is not a worse one
    while tried < _SHUFFLES and such < _ENOUGH:
        number = min(_BATCH, _SHUFFLES - tried)
        shuffled = [random.permuted(np.tile(part, (number, 1)), axis=1) for part in parts]
        best = np.max([_energies(each).max(axis=1) for each in shuffled], axis=0)
        such += int(np.sum(best >= least))
        tried += number
    return (1 + such) / (1 + tried)


def _energies(series: np.ndarray) -> np.ndarray:
    """Energy statistics, shape (series, splits): of each of `_intervals`, values a to t against values t to k.

    With n and m values on the sides: n m / (n + m) (2 mean |x - y| - mean |x - x'| - mean |y - y'|) (Székely & Rizzo
    2005).
    """
    number, length = series.shape
    sums = np.zeros((number, length + 1, length + 1))  # sums[:, a, b]: distances of the first a from the first b
    np.cumsum(np.abs(series[:, :, None] - series[:, None, :]), axis=1, out=sums[:, 1:, 1:])
    np.cumsum(sums[:, 1:, 1:], axis=2, out=sums[:, 1:, 1:])
    a, t, k = _intervals(length)
    flat = sums.reshape(number, -1)

    def until(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        found: np.ndarray = flat.take(first * (length + 1) + second, axis=1)
        return found

    n, m = t - a, k - t
    at, tt, tk = until(a, t), until(t, t), until(t, k)
    across = tk - tt - until(a, k) + at
    left, right = tt - 2 * at + until(a, a), until(k, k) - 2 * tk + tt
    energies: np.ndarray = 2 * across / (n + m) - left * (m / n / (n + m)) - right * (n / m / (n + m))
    return energies


@cache
def _intervals(length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where splits are looked for, (a, t, k): a change at t within the values from a to k.

    Either a is the beginning or k the end. That one of them may lie inside keeps a level that comes back from hiding
    the change (Matteson & James, section 2.2, let k do so; both make a series and its reverse split alike).
    """
    t = np.arange(SIDE, length - SIDE + 1)
    found = {(0, int(at), k) for at in t for k in range(at + SIDE, length + 1)}
    found |= {(a, int(at), length) for at in t for a in range(at - SIDE + 1)}
    a, t, k = np.array(sorted(found)).T
    return a, t, k


def shift(before: Sequence[float], after: Sequence[float], confidence: float = 0.95) -> Shift:
    """Hodges and Lehmann's estimate: the median of all differences, with the interval of the rank-sum test.

    Where the change was found by looking for the best place, the interval is a little too narrow for that.
    """
    differences = np.sort(np.subtract.outer(np.asarray(after, float), np.asarray(before, float)), axis=None)
    middle = float(np.median(differences))
    rank = _rank(len(before), len(after), (1 - confidence) / 2)
    if rank == 0:
        return Shift(middle, None, None)
    return Shift(middle, float(differences[rank - 1]), float(differences[-rank]))


def _rank(n: int, m: int, tail: float) -> int:
    """Which of the n m differences, from either end, bounds the shift; 0 for none. Exact for short series."""
    if n * m <= _EXACT:
        return int(np.searchsorted(np.cumsum(_rank_sums(n, m)), tail, side="right"))
    from scipy.special import ndtri

    return max(int(n * m / 2 + ndtri(tail) * math.sqrt(n * m * (n + m + 1) / 12)), 0)


@cache
def _rank_sums(n: int, m: int) -> np.ndarray:
    """P(U = u), u = 0 ... n m, of Mann and Whitney's U: the largest value of all belongs to either side."""
    if n == 0 or m == 0:
        return np.ones(1)
    chances = np.zeros(n * m + 1)
    chances[m:] += n / (n + m) * _rank_sums(n - 1, m)
    chances[: n * (m - 1) + 1] += m / (n + m) * _rank_sums(n, m - 1)
    return chances


def slope(logs: Sequence[float]) -> Slope:
    """Theil and Sen's slope: the median of all slopes between two runs; p is that of Kendall's tau (Mann 1945)."""
    from scipy.stats import kendalltau, theilslopes

    if min(logs) == max(logs):
        return Slope(0.0, 0.0, 0.0, 1.0)
    places = np.arange(len(logs))
    found = theilslopes(logs, places, alpha=0.95)
    p = float(kendalltau(places, logs).pvalue)
    return Slope(float(found.slope), float(found.low_slope), float(found.high_slope), p)


def steps_fit_better(logs: Sequence[float], places: Sequence[int], per_run: float) -> bool:
    """Whether levels that change at the `places` describe the runs better than a line of that slope does.

    By Schwarz' criterion (1978) with absolute residuals: 2 n ln(their sum) + ln(n) for each number that is fitted. A
    line has 2 of them; k changes have k places and k + 1 levels.
    """
    values = np.asarray(logs, dtype=float)
    line = values - per_run * np.arange(len(values))
    levels = np.concatenate([part - np.median(part) for part in np.split(values, sorted(places))])

    def criterion(residuals: np.ndarray, fitted: int) -> float:
        total = max(float(np.abs(residuals).sum()), 1e-12)  # a perfect fit has no logarithm
        return len(values) * 2 * math.log(total) + fitted * math.log(len(values))

    return criterion(levels, 2 * len(places) + 1) < criterion(line - np.median(line), 2)


def threshold(p_values: Sequence[float], alpha: float = ALPHA) -> float:
    """The p up to which findings count: of those found, a share of `alpha` is false (Benjamini & Hochberg 1995).

    Where nothing changes anywhere, that is the chance of finding anything at all. 0 where nothing counts. What is asked
    further of a series that counts may be held against the same p (Benjamini & Bogomolov, JRSS B 2014).
    """
    lines = [alpha * place / len(p_values) for place in range(1, len(p_values) + 1)]
    return max((line for p, line in zip(sorted(p_values), lines, strict=True) if p <= line), default=0.0)
