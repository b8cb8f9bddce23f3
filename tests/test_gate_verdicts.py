import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.gate import Limit
from reports.comparison import CODES
from reports.gate_verdicts import judged, worse

FIVE = Limit(0.05)
MIRRORED = {"slower": "faster", "faster": "slower", "same": "same", "inconclusive": "inconclusive"}
logs = st.floats(-1, 1, allow_nan=False)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.03, 0.08, ("slower", "fail", "above_margin")),
        (0.03, 0.04, ("slower", "fail", "above_margin")),
        (-0.01, 0.01, ("same", "pass", "below_limit")),
        (-0.30, -0.10, ("faster", "pass", "surely_less")),
        (-0.30, 0.01, ("inconclusive", "pass", "below_limit")),
        (0.01, 0.06, ("inconclusive", "inconclusive", "between")),
        (None, None, ("inconclusive", "inconclusive", "few_pairs")),
        (math.nan, 0.01, ("inconclusive", "inconclusive", "few_pairs")),
    ],
)
def test_bounds_and_limit_decide_verdict_outcome_and_code(low, high, expected):
    found = judged(low, high, FIVE)
    assert (found.verdict, found.outcome, found.code) == expected
    assert found.code in CODES


@given(logs, logs, st.floats(0.001, 10))
def test_swapping_the_sides_mirrors_the_verdict(one, other, share):
    low, high = sorted((one, other))
    there, back = judged(low, high, Limit(share)), judged(-high, -low, Limit(share))
    assert back.verdict == MIRRORED[there.verdict]


@given(logs, logs, st.floats(0.001, 10))
def test_bounds_that_hold_no_change_never_fail(one, other, share):
    found = judged(-abs(one), abs(other), Limit(share))
    assert found.verdict != "slower"
    assert found.outcome != "fail"


def test_without_a_limit_the_verdict_is_shown_and_gates_nothing():
    assert judged(0.5, 0.6, None).verdict == "slower"
    assert judged(0.5, 0.6, None).outcome == "ungated"


def test_what_a_test_over_all_benchmarks_decided_overrides_one_alone():
    assert judged(0.01, 0.2, FIVE, decided="fail").verdict == "slower"
    assert judged(0.03, 0.2, FIVE, decided="undecided", undecided="time_cap").code == "time_cap"


def test_more_of_what_is_better_is_not_worse():
    assert worse(+1, 0.1, 0.2) == (-0.2, -0.1)
    assert worse(-1, 0.1, None) == (0.1, None)
