import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import Block, Metric, Record
from reports.estimate import Ratio, share, speed
from reports.study import Pair
from tests import factories


def timed(times_s: dict[int, float], **changes: object) -> Record:
    """A record whose round n, in a process of its own, took `times_s[n]` an iteration."""
    blocks = [
        Block("timed", number, number, 0.0, [round(1e9 * seconds)] * 3, group=f"g{number}")
        for number, seconds in times_s.items()
    ]
    return replace(factories.record(), blocks=blocks, **changes)


def test_the_ratio_is_free_of_drift_that_both_share():
    drift = [1.0, 3.0, 0.5, 2.0, 1.5, 0.7, 1.1]
    reference = timed({n: 0.02 * d for n, d in enumerate(drift)})
    variant = timed({n: 0.01 * d for n, d in enumerate(drift)})
    ratio = speed(Pair(variant, reference))
    assert ratio == Ratio(pytest.approx(2), pytest.approx(2), pytest.approx(2), 7, 7)
    assert ratio.paired
    assert ratio.verdict == "faster"


def test_only_rounds_that_both_took_part_in_count():
    ratio = speed(Pair(timed({2: 1.0, 3: 1.0, 9: 50.0}), timed({1: 70.0, 2: 2.0, 3: 2.0})))
    assert ratio == Ratio(2.0, None, None, 2, 2)


def test_the_median_of_paired_ratios_is_not_the_ratio_of_medians():
    reference = timed(dict(enumerate([1.0, 10.0, 100.0])))
    variant = timed(dict(enumerate([0.5, 20.0, 50.0])))
    ratio = speed(Pair(variant, reference))
    assert ratio is not None
    assert ratio.value == pytest.approx(2)  # medians alone would give 10 / 20
    assert ratio.verdict == "not decided"


def test_points_of_different_runs_give_an_unpaired_ratio_without_an_interval():
    fast = factories.record(precision="amp-bf16")
    slow = replace(factories.record(), run="another")
    ratio = speed(Pair(fast, slow))
    assert ratio is not None
    assert (ratio.low, ratio.high, ratio.n) == (None, None, 0)
    assert ratio.value == pytest.approx(slow.metrics["latency_s"].value / fast.metrics["latency_s"].value)
    assert not ratio.paired


def test_without_any_time_there_is_no_ratio():
    assert speed(Pair(timed({}, metrics={}), timed({0: 1.0}))) is None


def test_a_zero_time_gives_no_infinite_ratio():
    zero = Metric(0.0, "s", -1, "time")
    assert speed(Pair(timed({0: 0.0}, metrics={"latency_s": zero}), timed({0: 1.0}))) is None


def test_blocks_that_a_meter_watched_are_not_timed():
    watched = Block("observed", 0, 0, 0.0, [10**9], group="g0")
    times = dict.fromkeys(range(6), 1.0)
    ratio = speed(Pair(replace(timed(times), blocks=[watched, *timed(times).blocks]), timed(times)))
    assert ratio == Ratio(pytest.approx(1), pytest.approx(1), pytest.approx(1), 6, 6)


def test_a_ratio_has_the_confidence_that_its_record_names():
    noise = random.Random(3)
    times = [dict(enumerate(noise.lognormvariate(0, 0.05) for _ in range(12))) for _ in range(2)]
    plain, wide = (
        speed(Pair(timed(times[0], facts=facts), timed(times[1]))) for facts in ({}, {"interval_confidence": 0.99})
    )
    assert wide.low < plain.low < plain.high < wide.high


def test_many_rounds_of_few_processes_give_no_interval():
    blocks = [Block("timed", n % 2, n, 0.0, [10**9], group=f"g{n % 2}") for n in range(20)]
    record = replace(factories.record(), blocks=blocks)
    assert speed(Pair(record, record)) == Ratio(1.0, None, None, 20, 2)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.1, 1.3, "faster"),
        (0.7, 0.9, "slower"),
        (0.9, 1.1, "no measurable difference"),
        (1.0, 1.4, "no measurable difference"),
        (1.001, 1.015, "no measurable difference"),
        (0.985, 0.999, "no measurable difference"),
        (1.001, 1.04, "no measurable difference"),
        (1.021, 1.04, "faster"),
        (None, None, "not decided"),
    ],
)
def test_the_interval_decides_what_may_be_said(low, high, verdict):
    assert Ratio(1.2, low, high, 9).verdict == verdict


@given(st.lists(st.floats(0.01, 100), min_size=6, max_size=30), st.floats(0.1, 10))
def test_scaling_one_side_scales_the_ratio_and_its_interval(times, factor):
    reference = timed(dict(enumerate(times)))
    ratio = speed(Pair(timed({n: t / factor for n, t in enumerate(times)}), reference))
    assert ratio is not None
    for bound in (ratio.value, ratio.low, ratio.high):
        assert bound == pytest.approx(factor, rel=1e-4)


def test_the_interval_of_a_ratio_covers_the_truth_about_as_often_as_it_promises():
    noise = random.Random(7)
    hits = 0
    for _ in range(300):
        drift = [noise.uniform(0.5, 2) for _ in range(9)]
        reference = timed({n: d * noise.lognormvariate(0, 0.05) for n, d in enumerate(drift)})
        variant = timed({n: d / 1.3 * noise.lognormvariate(0, 0.05) for n, d in enumerate(drift)})
        ratio = speed(Pair(variant, reference))
        assert ratio is not None
        hits += (ratio.low or 0) <= 1.3 <= (ratio.high or 0)
    assert 0.93 <= hits / 300 <= 0.99


def test_a_share_needs_both_values():
    before, after = factories.record(), factories.record(prune=0.5)
    assert share(Pair(after, before), "max_ram_B") == pytest.approx(1.0)
    assert share(Pair(after, before), "joules_per_token") is None


@pytest.mark.parametrize(
    ("ratio", "why"),
    [
        (Ratio(1.2, 1.1, 1.3, 80, 8), ""),
        (Ratio(1.2, None, None, 20, 2), "2 processes: too few for a 95 % interval"),
        (Ratio(1.2, None, None, 0), "unpaired: no interval"),
    ],
)
def test_a_ratio_without_an_interval_says_why(ratio, why):
    assert ratio.why_no_interval == why
