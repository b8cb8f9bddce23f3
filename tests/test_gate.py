"""The statistics of the gate: bounds, Holm, looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wilcoxon

from bench import gate
from bench.ab import sequence
from bench.gate import Limit

logs = st.lists(st.floats(-0.5, 0.5, allow_nan=False).map(lambda x: round(x, 6)), min_size=10, max_size=30)
FIVE = Limit(0.05)
KEY = ("test", "latency_s")


def test_chances_are_those_of_the_signed_rank_test():
    values = np.random.default_rng(1).normal(0.3, 1, 12)
    assert gate.p_above(values, 0.1) == pytest.approx(wilcoxon(values - 0.1, alternative="greater").pvalue)
    assert gate.p_below(values, 0.5) == pytest.approx(wilcoxon(values - 0.5, alternative="less").pvalue)


def test_bounds_are_where_the_test_turns():
    values = np.random.default_rng(2).normal(0.02, 0.01, 16)
    found = gate.estimate(values, 0.01)
    assert found.low is not None
    assert gate.p_above(values, found.low - 1e-9) <= 0.01 < gate.p_above(values, found.low + 1e-9)


@pytest.mark.parametrize(("n", "bounded"), [(8, False), (9, True)])
def test_too_few_pairs_have_no_bounds(n, bounded):
    assert (gate.estimate([0.01 * k for k in range(n)], 0.0025).low is not None) == bounded


def test_bounds_hold_the_truth_as_often_as_they_say():
    noise = np.random.default_rng(3).standard_t(2, (2000, 12))
    missed = sum(gate.estimate(each, 0.05).low > 0 for each in noise)
    assert missed / 2000 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_nothing_is_known_of_no_values():
    with pytest.raises(ValueError, match="no values"):
        gate.estimate([], 0.01)


@given(logs)
def test_swapping_the_sides_mirrors_the_bounds(values):
    there, back = gate.estimate(values, 0.01), gate.estimate([-value for value in values], 0.01)
    assert there.value == pytest.approx(-back.value)
    assert there.low == pytest.approx(-back.high)


@given(logs, st.floats(0.01, 1))
def test_a_pass_and_a_failure_exclude_each_other(values, share):
    limit = Limit(share)
    surely_more = gate.p_above(values, limit.margin_log) <= 0.01
    surely_less = gate.p_below(values, limit.log) <= 0.01
    found = gate.outcomes({"a": values}, {"a": limit}, 0.01)["a"]
    assert found == ("fail" if surely_more else "pass" if surely_less else "undecided")


@pytest.mark.parametrize("n", [9, 10, 42])
def test_identical_sides_pass_and_never_fail(n):
    assert gate.outcomes({"a": [0.0] * n}, {"a": FIVE}, 0.0025) == {"a": "pass"}


def test_holm_asks_more_of_each_where_there_are_several():
    assert gate.holm({"a": 0.004, "b": 0.5}, 0.01) == {"a"}
    assert gate.holm({"a": 0.006, "b": 0.5}, 0.01) == set()
    assert gate.holm({"a": 0.004, "b": 0.009}, 0.01) == {"a", "b"}


def test_a_benchmark_decided_before_still_counts_in_the_family():
    slower = [0.04, 0.05, 0.06, 0.05, 0.04, 0.05, 0.06, 0.05, 0.05]  # the smallest p that 9 pairs can have is 0.00195
    assert gate.outcomes({"a": slower}, {"a": FIVE}, 0.0025)["a"] == "fail"
    assert gate.outcomes({"a": slower}, {"a": FIVE}, 0.0025, family=4)["a"] == "undecided"


def decided(values, *, ended=True, **more):
    return sequence.replay({KEY: values}, {KEY: FIVE}, ended=ended, **more)[KEY]


def test_a_clear_answer_is_given_at_the_first_look_and_stays():
    early = [0.05] * 10
    assert decided(early).outcome == "fail"
    assert decided([*early, *[-0.5] * 30]).outcome == "fail"


def test_between_two_looks_nothing_is_decided_while_measuring_goes_on():
    open_ = [0.3, -0.3] * 5 + [0.0] * 5
    assert decided(open_, ended=False).estimate.pairs == 15
    assert decided(open_, ended=False).outcome == "undecided"
    assert decided([0.0] * 9, ended=False).outcome == "undecided"


def test_the_end_of_the_time_is_a_look_too():
    assert decided([0.0] * 9).outcome == "pass"
    assert decided([0.0] * 8).outcome == "undecided"


@given(st.lists(logs, min_size=1, max_size=3))
def test_scaling_both_sides_changes_nothing(many):
    """Values are ratios, so this is about names: order and number of benchmarks aside, each is judged by its own."""
    values = {(f"test {place}", "latency_s"): own for place, own in enumerate(many)}
    limits = dict.fromkeys(values, FIVE)
    there = sequence.replay(values, limits, ended=True)
    back = sequence.replay(dict(reversed(values.items())), dict(reversed(limits.items())), ended=True)
    assert {key: each.outcome for key, each in there.items()} == {key: each.outcome for key, each in back.items()}
