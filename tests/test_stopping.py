import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import Block
from bench.stopping import Goal, Measured, judge, log_ratios, log_times, plan


def logs(count, spread, blocks=1, seed=1):
    """So many processes of so many blocks each: logarithms of times about 2 ms."""
    draw = random.Random(seed)
    return tuple(tuple(math.log(2e-3) + draw.gauss(0, spread) for _ in range(blocks)) for _ in range(count))


def point(name="a", count=10, spread=0.001, block_s=0.1, spent_s=0.0, blocks=1):
    return Measured(name, logs(count, spread, blocks), block_s, spent_s)


def block(process, round_, samples, group="g", kind="timed"):
    return Block(kind, process, round_, 0.0, samples, group=group)


@pytest.mark.parametrize(
    ("cap", "looks"),
    [(80, (10, 20, 40, 80)), (320, (10, 20, 40, 80, 160, 320)), (50, (10, 20, 40, 50)), (10, (10,)), (4, (4,))],
)
def test_looks_double_up_to_the_cap(cap, looks):
    assert Goal(cap=cap).looks == looks


def test_alpha_is_split_over_the_looks():
    assert Goal(cap=80).look_confidence == pytest.approx(1 - 0.05 / 4)
    assert Goal(cap=10).look_confidence == pytest.approx(0.95)


def test_what_is_printed_lies_between_the_plain_interval_and_the_one_that_decides():
    goal = Goal(cap=80)
    assert goal.confidence < goal.printed_confidence < goal.look_confidence
    assert Goal(cap=10).printed_confidence == pytest.approx(0.95)


def test_a_quiet_point_is_precise_at_its_first_look():
    verdict = judge(point(spread=0.001), Goal(half_width=0.01))
    assert verdict.stop == "precise"
    assert verdict.half_width < 0.01
    assert verdict.low < verdict.value < verdict.high
    assert verdict.value == pytest.approx(2e-3, rel=0.01)


def test_the_half_width_is_relative():
    verdict = judge(point(spread=0.05), Goal())
    assert verdict.half_width == pytest.approx((verdict.high - verdict.low) / 2 / verdict.value, rel=0.05)


def test_a_noisy_point_wants_as_many_blocks_as_there_are_until_its_next_look():
    assert judge(point(count=10, spread=0.1), Goal()).wanted == 10
    assert judge(point(count=20, spread=0.1), Goal()).wanted == 20
    assert judge(point(count=13, spread=0.1), Goal()).wanted == 7


def test_a_point_without_blocks_wants_its_first_look():
    verdict = judge(Measured("a", (), block_s=0.1), Goal())
    assert (verdict.stop, verdict.wanted, verdict.value) == (None, 10, None)


def test_a_glance_between_two_looks_stops_nothing():
    assert judge(point(count=10, spread=1e-5), Goal()).stop == "precise"
    assert judge(point(count=11, spread=1e-5), Goal()).stop is None


def test_a_look_decides_on_more_confidence_than_it_prints():
    noisy = point(count=20, spread=0.03)
    printed = judge(noisy, Goal()).half_width
    assert judge(noisy, Goal(half_width=printed * 1.01)).stop is None
    assert judge(noisy, Goal(half_width=printed * 2)).stop == "precise"


def test_a_noisy_point_is_given_up_at_the_cap_with_the_width_that_was_reached():
    verdict = judge(point(count=80, spread=0.5), Goal())
    assert (verdict.stop, verdict.wanted) == ("cap", 0)
    assert verdict.half_width > 0.01


def test_many_blocks_of_few_processes_are_never_precise():
    verdict = judge(point(count=2, blocks=10, spread=1e-6), Goal())
    assert verdict.stop is None
    assert verdict.half_width is None
    assert judge(point(count=2, blocks=40, spread=1e-6), Goal()).stop == "cap"


def test_a_point_stops_where_its_next_look_is_beyond_its_budget():
    noisy = point(count=10, spread=0.1, block_s=0.1, spent_s=1.0)
    assert judge(noisy, Goal(point_s=2.0)).stop is None
    assert judge(noisy, Goal(point_s=1.9)).stop == "budget"
    assert judge(replace(noisy, logs=logs(10, 1e-5)), Goal(point_s=1.9)).stop == "precise"


def test_the_widest_interval_comes_first():
    some = [point("narrow", spread=0.05), point("wide", spread=0.5), Measured("new", (), block_s=0.1)]
    assert list(plan(some, Goal()).next) == ["new", "wide", "narrow"]


def test_a_short_budget_goes_to_the_widest_interval():
    some = [point(name, spread=spread, spent_s=1.0) for name, spread in (("a", 0.05), ("b", 0.5), ("c", 0.1))]
    made = plan(some, Goal(sweep_s=3.0 + 2.5))
    assert made.next == {"b": 10, "c": 10}
    assert made.verdicts["a"].stop == "budget"
    assert made.verdicts["a"].half_width > 0.01


def test_what_the_widest_cannot_have_goes_to_one_that_costs_less():
    some = [point("wide", spread=0.5, block_s=1.0), point("cheap", spread=0.1, block_s=0.01)]
    made = plan(some, Goal(sweep_s=1.0))
    assert made.next == {"cheap": 10}
    assert made.verdicts["wide"].stop == "budget"


def test_nothing_goes_on_when_all_are_precise():
    made = plan([point("a"), point("b")], Goal())
    assert made.next == {}
    assert {verdict.stop for verdict in made.verdicts.values()} == {"precise"}


@given(st.lists(st.tuples(st.floats(0.001, 1), st.floats(0.01, 10)), max_size=6), st.floats(0, 500))
def test_a_sweep_never_plans_beyond_its_budget(points, sweep_s):
    some = [point(str(i), spread=spread, block_s=cost) for i, (spread, cost) in enumerate(points)]
    made = plan(some, Goal(sweep_s=sweep_s))
    assert sum(each.block_s * made.next.get(each.name, 0) for each in some) <= sweep_s
    assert all((name in made.next) == (verdict.stop is None) for name, verdict in made.verdicts.items())


def test_a_sweep_that_follows_the_plan_ends_and_each_point_says_why():
    spreads = {"quiet": 0.001, "noisy": 0.03, "hopeless": 0.5}
    measured = {name: Measured(name, (), block_s=0.1) for name in spreads}
    goal = Goal(half_width=0.02)
    while (made := plan(list(measured.values()), goal)).next:
        for name, blocks in made.next.items():
            before = measured[name]
            more = logs(blocks, spreads[name], seed=before.blocks)
            measured[name] = replace(before, logs=before.logs + more, spent_s=before.spent_s + blocks * before.block_s)
    assert {name: verdict.stop for name, verdict in made.verdicts.items()} == {
        "quiet": "precise",
        "noisy": "precise",
        "hopeless": "cap",
    }
    assert [measured[name].blocks for name in spreads] == [10, 20, 80]


def test_times_are_grouped_by_process():
    blocks = [block(1, 2, [30, 10, 20]), block(0, 0, [100]), block(1, 3, [40]), block(0, -1, [7], kind="observed")]
    assert log_times(blocks) == (
        pytest.approx((math.log(100e-9),)),
        pytest.approx((math.log(20e-9), math.log(40e-9))),
    )


def test_ratios_pair_the_blocks_of_one_round_and_group():
    variant = [block(0, 0, [20], "g"), block(0, 1, [30], "g"), block(1, 2, [80], "h"), block(1, 9, [1], "h")]
    reference = [block(4, 0, [10], "g"), block(4, 1, [10], "g"), block(5, 2, [20], "h"), block(5, 0, [1], "x")]
    assert log_ratios(variant, reference) == (
        pytest.approx((math.log(2), math.log(3))),
        pytest.approx((math.log(4),)),
    )


def test_a_disturbed_iteration_leaves_a_ratio_alone():
    calm, disturbed = [10] * 8, [10] * 4 + [500] * 4
    assert log_ratios([block(0, 0, disturbed)], [block(1, 0, calm)]) == ((0.0,),)
    assert log_times([block(0, 0, disturbed)])[0][0] > math.log(200e-9)


def test_a_drift_that_both_members_share_leaves_no_doubt_about_their_ratio():
    draw = random.Random(1)
    slow = [draw.uniform(1000, 9000) for _ in range(10)]
    variant = [block(i, i, [round(2 * each)], f"g{i}") for i, each in enumerate(slow)]
    reference = [block(i, i, [round(each)], f"g{i}") for i, each in enumerate(slow)]
    ratio = judge(Measured("pair", log_ratios(variant, reference), block_s=0.1), Goal())
    alone = judge(Measured("variant", log_times(variant), block_s=0.1), Goal())
    assert ratio.stop == "precise"
    assert ratio.value == pytest.approx(2, rel=0.01)
    assert alone.stop is None


def test_a_clock_that_stood_still_is_no_error():
    assert math.isfinite(log_times([block(0, 0, [0])])[0][0])
