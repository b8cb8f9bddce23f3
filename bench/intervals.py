"""Distribution-free intervals of a median.

`median_interval` assumes that samples are exchangeable. Blocks of one process are not: addresses, page colours and the
moment at which it ran make them alike. `process_interval` assumes only that the processes are independent.
"""

from collections.abc import Sequence
from functools import cache
from math import exp, lgamma, log
from statistics import median

#: Few processes may by chance share out their blocks more evenly than independent ones would be, down to a variance of
#: 0, which bounds the worth at some multiple of n. At n itself, 97 to 98 % of intervals cover where processes are alike
#: (chance may then only lower the worth); at 2 n, 95 to 97 %; beyond, nothing changes by more than 0.5 %.
_MOST_WORTH = 2


@cache
def _rank(n: int, confidence: float) -> int | None:
    """Largest k for which [x_(k), x_(n+1-k)] of n sorted samples covers the median with `confidence`; None: too few.

    The number of samples below the median is Binomial(n, 1/2), so the coverage is 1 - 2 * P(Binomial <= k - 1)
    (David & Nagaraja, Order Statistics, section 7.1). [min, max] covers with 1 - 2 * 0.5^n: 96.9 % at n = 6.
    """
    below, k = 0.0, 0
    while (below := below + _binomial(n, k)) <= (1 - confidence) / 2:
        k += 1
    return k or None


def _binomial(n: int, k: int) -> float:
    """Probability of k among n at 1/2, by logarithms: 2^n is no float beyond n = 1023."""
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) - n * log(2))


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float | None, float | None]:
    """The median of `values` and its distribution-free interval; the bounds are None where n is too small (n < 6).

    Raises ValueError for no values at all.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    k = _rank(len(ordered), confidence)
    if k is None:
        return median(ordered), None, None
    return median(ordered), ordered[k - 1], ordered[-k]


def process_interval(
    processes: Sequence[Sequence[float]], confidence: float = 0.95
) -> tuple[float, float | None, float | None]:
    """The median of all blocks (`processes`: for each process, its blocks) and its interval, from process to process.

    The blocks count as so many independent ones as they are worth (`effective_blocks`), and the bounds are the order
    statistics that many would have, of fractional rank (Hutson 1999), taken at the same quantiles of all blocks
    (Woodruff, JASA 1952). No shape of noise is assumed, and the median is that of all blocks, so skewed noise does not
    bias it as it does a mean of processes. `tests.proofs.interval_coverage` holds it against the alternatives.

    The bounds are None where there are too few processes: [min, max] covers with 1 - 2 * 0.5^n, so 95 % needs 6.
    Raises ValueError for no values at all.
    """
    ordered = sorted(value for blocks in processes for value in blocks)
    if not ordered:
        raise ValueError("no values")
    middle, n = median(ordered), len(ordered)
    fewest = n**2 / sum(len(blocks) ** 2 for blocks in processes)
    if 1 - 2 * 0.5**fewest < confidence:
        return middle, None, None
    worth = effective_blocks(processes, confidence)
    rank = _fractional_rank(worth, confidence) / (worth + 1) * (n + 1)
    return middle, _at_rank(ordered, rank), _at_rank(ordered, n + 1 - rank)


def effective_blocks(processes: Sequence[Sequence[float]], confidence: float = 0.95) -> float:
    """How many independent blocks would place the median as well as these do: as few as there are processes, where the
    blocks of a process are all alike; about as many as there are blocks, where the processes are.

    An independent block lies below the median with probability 1/2, variance 1/4; n / design effect of them give the
    share below the median the variance that it has from process to process. The ratio of t quantiles pays for that
    variance being estimated from few processes (Korn & Graubard, Survey Methodology 1998). Where processes have
    unequal numbers of blocks, Kish's effective number of processes (1965) takes the place of their number.

    Raises ValueError for fewer than two processes.
    """
    from scipy.special import stdtrit

    kept = [blocks for blocks in processes if len(blocks)]
    if len(kept) < 2:
        raise ValueError("blocks of fewer than two processes say nothing about other processes")
    n = sum(len(blocks) for blocks in kept)
    middle = median(value for blocks in kept for value in blocks)
    # Times the number of its blocks, how far the share of a process' blocks below the median is from 1/2.
    excess = [sum((value < middle) + 0.5 * (value == middle) for value in blocks) - len(blocks) / 2 for blocks in kept]
    variance = sum(each**2 for each in excess) / n**2 * len(kept) / (len(kept) - 1)
    fewest = n**2 / sum(len(blocks) ** 2 for blocks in kept)
    most = _MOST_WORTH * n
    if variance == 0:
        return float(most)
    tail = (1 + confidence) / 2
    payment = stdtrit(n - 1, tail) / stdtrit(len(kept) - 1, tail)
    return float(min(max(0.25 / variance * payment**2, fewest), most))


def _fractional_rank(n: float, confidence: float) -> float:
    """The rank r, no whole number, for which the r-th of n order statistics is above the median by half of the rest.

    The r-th of n uniform order statistics is Beta(r, n + 1 - r), which has a meaning for fractional r and n too.
    """
    from scipy.optimize import brentq
    from scipy.special import betainc

    below = (1 + confidence) / 2
    rank: float = brentq(lambda r: betainc(r, n + 1 - r, 0.5) - below, 1e-6, (n + 1) / 2, xtol=1e-6)
    return rank


def _at_rank(ordered: Sequence[float], rank: float) -> float:
    """The order statistic of a fractional rank (1 is the smallest), linear between its neighbours."""
    place = min(max(rank - 1, 0), len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def quantile(values: Sequence[float], share: float) -> float:
    """The `share` quantile of `values` with linear interpolation (numpy's default, Hyndman & Fan type 7)."""
    return _at_rank(sorted(values), 1 + share * (len(values) - 1))
