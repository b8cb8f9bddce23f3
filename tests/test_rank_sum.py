import random
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench import rank_sum

values = st.lists(st.floats(-10, 10), min_size=1, max_size=12)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (4, 4), (3, 7)])
def test_the_distribution_is_that_of_all_orders_counted_one_by_one(n, m):
    counts = np.zeros(n * m + 1)
    for chosen in combinations(range(n + m), n):
        counts[sum(place - rank for rank, place in enumerate(chosen))] += 1
    assert rank_sum._tail(n, m) == pytest.approx(np.cumsum(counts) / counts.sum())


def test_the_bounds_agree_with_the_test_of_scipy():
    draw = random.Random(1)
    base, new = [draw.gauss(0, 1) for _ in range(9)], [draw.gauss(1, 1) for _ in range(7)]
    found = rank_sum.shift(base, new, 0.01)
    inside, outside = (
        stats.mannwhitneyu([x - found.low + step for x in new], base, alternative="greater", method="exact").pvalue
        for step in (-1e-9, 1e-9)
    )
    assert outside <= 0.01 < inside


def test_the_bounds_err_no_more_often_than_they_say():
    draw = np.random.default_rng(7)
    groups = [[draw.exponential(size=8) for _ in range(2)] for _ in range(600)]
    above = sum(rank_sum.shift(*pair, 0.05).low > 0 for pair in groups)
    assert above <= stats.binom.ppf(0.999, 600, 0.05)
    assert above > 0


@given(values, values)
def test_swapping_the_groups_mirrors_the_shift(base, new):
    there, back = rank_sum.shift(base, new, 0.05), rank_sum.shift(new, base, 0.05)
    assert there.value == pytest.approx(-back.value)
    assert (there.low is None) == (back.low is None)
    if there.low is not None:
        assert (there.low, there.high) == (-back.high, -back.low)


def test_few_values_have_no_bounds_and_many_have_the_normal_ones():
    assert rank_sum.shift([1.0], [2.0], 0.01).low is None
    assert rank_sum.shift([1.0] * 5, [2.0] * 5, 0.01).low == 1.0
    exact = int(np.searchsorted(rank_sum._tail(49, 49), 0.01, side="right"))
    middle, sd = 49 * 49 / 2, (49 * 49 * 99 / 12) ** 0.5
    assert abs(exact - (middle - 2.3263 * sd + 0.5)) < 2
    assert rank_sum._critical(60, 60, 0.01) > 0
