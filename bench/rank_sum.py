"""Two groups of processes that were not measured in turns: how far one lies above the other, without a shape of noise.

Hodges and Lehmann's shift (1963) is the median of all differences between a value of one group and one of the other;
its bounds are the order statistics of these differences at the ranks of the rank-sum test (Mann and Whitney 1947; the
construction is in Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, section 4.3). It assumes that the
values of a group are independent of each other, which is for processes of one run, and not for runs of one machine.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from bench.gate import Estimate

#: Beyond so many differences the test's distribution is taken as normal; the ranks then differ by one at most.
_MOST_EXACT = 2500


def shift(base: Sequence[float], new: Sequence[float], alpha: float) -> Estimate:
    """How far `new` lies above `base`, with bounds that are each one-sided at 1 - alpha.

    The bounds are None where the groups are too small: at 1 %, five of either are enough. `pairs` is the size of the
    smaller group. Raises ValueError where a group is empty.
    """
    if not len(base) or not len(new):
        raise ValueError("no values")
    differences = np.sort(np.subtract.outer(np.asarray(new, float), np.asarray(base, float)), axis=None)
    rank = _critical(*sorted((len(base), len(new))), alpha)
    low, high = (float(differences[rank - 1]), float(differences[-rank])) if rank else (None, None)
    return Estimate(float(np.median(differences)), low, high, 1 - alpha, min(len(base), len(new)))


@cache
def _critical(n: int, m: int, alpha: float) -> int:
    """The rank of the difference that is a lower bound at 1 - alpha; 0 where there is none."""
    if n * m <= _MOST_EXACT:
        return int(np.searchsorted(_tail(n, m), alpha, side="right"))
    from scipy.special import ndtri

    middle, sd = n * m / 2, math.sqrt(n * m * (n + m + 1) / 12)
    return max(math.floor(middle + float(ndtri(alpha)) * sd - 0.5) + 1, 0)


def _tail(n: int, m: int) -> np.ndarray:
    """P(U <= u) for u = 0 ... n m, where U counts the pairs in which the value of the group of n is the larger.

    The largest of all values belongs to either group in proportion to its size, and all orders are as likely: so
    P(n, m, u) = n/(n+m) P(n-1, m, u-m) + m/(n+m) P(n, m-1, u).
    """
    none = np.zeros(n * m + 1)
    none[0] = 1.0
    above = [none] * (m + 1)
    for i in range(1, n + 1):
        row = [none]
        for j in range(1, m + 1):
            moved = np.concatenate([np.zeros(j), above[j][: n * m + 1 - j]])
            row.append((i * moved + j * row[j - 1]) / (i + j))
        above = row
    return np.minimum(np.cumsum(above[m]), 1.0)
