import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.intervals import median_interval, quantile

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def test_six_samples_are_the_fewest_that_give_a_95_percent_interval():
    assert median_interval([1, 2, 3, 4, 5]) == (3, None, None)
    assert median_interval([1, 2, 3, 4, 5, 6]) == (3.5, 1, 6)


@pytest.mark.parametrize(("n", "rank"), [(6, 1), (9, 2), (10, 2), (20, 6), (40, 14)])
def test_ranks_agree_with_published_tables(n, rank):
    # Conover, Practical Nonparametric Statistics, table A3 (binomial, p = 1/2)
    _, low, high = median_interval(range(1, n + 1))
    assert (low, high) == (rank, n + 1 - rank)


def test_no_values_have_no_median():
    with pytest.raises(ValueError, match="no values"):
        median_interval([])


@given(values)
def test_the_interval_holds_the_median(samples):
    middle, low, high = median_interval(samples)
    if low is not None:
        assert low <= middle <= high


def test_nominal_95_percent_intervals_cover_at_least_95_percent():
    draw = random.Random(1)
    hits = 0
    for _ in range(2000):
        _, low, high = median_interval([draw.expovariate(1) for _ in range(15)])
        hits += low <= 0.6931471805599453 <= high
    assert hits / 2000 > 0.95


@given(values, st.floats(0, 1))
def test_a_quantile_lies_within_the_samples(samples, share):
    assert min(samples) <= quantile(samples, share) <= max(samples) or share in (0, 1)


def test_quantiles_interpolate_as_numpy_does():
    assert quantile([4, 1, 3, 2], 0.5) == 2.5
    assert quantile([0, 10], 0.9) == 9


def test_very_many_samples_take_no_time_and_give_a_narrow_interval():
    _, low, high = median_interval(range(20_001))
    # the normal approximation: 1.96 * sqrt(20001) / 2 = 139 ranks on either side
    assert abs((high - low) / 2 - 139) <= 1
