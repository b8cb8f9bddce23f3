import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.intervals import effective_blocks, median_interval, process_interval, quantile

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
processes = st.lists(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), min_size=1, max_size=12)


def drawn(seed, count, blocks, spread):
    """Processes whose blocks have noise of 1, and a shift of that spread that all blocks of one process share."""
    draw = random.Random(seed)
    shifts = [draw.gauss(0, spread) for _ in range(count)]
    return [[shift + draw.gauss(0, 1) for _ in range(blocks)] for shift in shifts]


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


def test_five_processes_have_no_95_percent_interval_however_many_blocks_they_have():
    _, low, high = process_interval(drawn(1, 5, 100, spread=0))
    assert low is None
    assert high is None
    assert None not in process_interval(drawn(1, 6, 2, spread=0))


def test_one_process_has_a_median_and_no_interval():
    assert process_interval([[3.0, 1.0, 2.0]]) == (2.0, None, None)


def test_processes_of_very_unequal_length_count_as_fewer():
    # (10 + 5)^2 / (100 + 5) = 2.1 processes of equal length
    assert process_interval([[float(i) for i in range(10)], *([float(i)] for i in range(5))])[1:] == (None, None)


def test_processes_without_blocks_are_no_evidence():
    with pytest.raises(ValueError, match="no values"):
        process_interval([[], []])
    with pytest.raises(ValueError, match="fewer than two processes"):
        effective_blocks([[1.0, 2.0], []])


def test_blocks_that_are_all_alike_within_a_process_count_as_one():
    alike = [[float(i)] * 10 for i in range(8)]
    assert effective_blocks(alike) == 8
    single = process_interval([[float(i)] for i in range(8)])
    assert process_interval(alike)[1] == pytest.approx(single[1], abs=0.3)


def test_single_blocks_are_worth_their_number():
    assert effective_blocks([[float(i)] for i in range(20)]) == 20


def test_an_interval_widens_where_processes_differ():
    def mean_width(spread):
        found = [process_interval(drawn(seed, 10, 8, spread)) for seed in range(30)]
        return sum(high - low for _, low, high in found) / len(found)

    assert mean_width(3.0) > 3 * mean_width(0.0)


@given(processes)
def test_the_interval_over_processes_holds_the_median_and_stays_within_the_blocks(blocks):
    middle, low, high = process_interval(blocks)
    every = [value for process in blocks for value in process]
    assert middle == median_interval(every)[0]
    if low is not None:
        assert min(every) <= low <= middle <= high <= max(every)


@given(processes, st.randoms())
def test_the_order_of_processes_and_of_their_blocks_does_not_matter(blocks, shuffle):
    mixed = [shuffle.sample(process, len(process)) for process in shuffle.sample(blocks, len(blocks))]
    assert process_interval(mixed) == pytest.approx(process_interval(blocks))


def test_intervals_over_processes_cover_where_those_over_blocks_do_not():
    runs = [drawn(seed, 10, 4, spread=1.0) for seed in range(600)]

    def covered(intervals):
        return sum(low <= 0 <= high for _, low, high in intervals) / len(runs)

    assert covered(process_interval(run) for run in runs) > 0.92
    assert covered(median_interval([block for process in run for block in process]) for run in runs) < 0.9


def test_more_confidence_is_wider():
    run = drawn(1, 12, 3, spread=0.5)
    _, low, high = process_interval(run, 0.95)
    _, lower, higher = process_interval(run, 0.99)
    assert lower < low
    assert high < higher


@pytest.mark.parametrize(("n", "k"), [(6, 1), (10, 2), (10, 3), (21, 6)])
def test_at_a_confidence_that_order_statistics_have_the_bounds_are_those(n, k):
    # [x_(k), x_(n+1-k)] misses the median with probability 2 * P(Binomial(n, 1/2) <= k - 1)
    missed = 2 * sum(math.comb(n, below) for below in range(k)) / 2**n
    _, low, high = process_interval([[float(i)] for i in range(1, n + 1)], 1 - missed)
    assert (low, high) == pytest.approx((k, n + 1 - k), abs=1e-4)
