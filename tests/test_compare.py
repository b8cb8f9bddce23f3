import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.gate import Limit
from reports import gate_remedies
from reports.comparison import CODES
from tests import factories
from tests.sides import FIVE, compared, finding, record, with_metric

STEADY = [0.010 * (1 + 0.001 * n) for n in range(8)]
MIRRORED = {"slower": "faster", "faster": "slower", "missing": "new", "new": "missing"}
times = st.lists(st.floats(1e-5, 1e-1), min_size=1, max_size=9)


def slower(factor):
    return [time * factor for time in STEADY]


@pytest.mark.parametrize(
    ("factor", "verdict", "outcome", "exit_code"),
    [(1.10, "slower", "fail", 1), (1.0, "same", "pass", 0), (0.9, "faster", "pass", 0), (1.035, "slower", "fail", 1)],
)
def test_a_quiet_machine_tells_a_change_from_none(factor, verdict, outcome, exit_code):
    comparison = compared([record(STEADY)], [record(slower(factor), "b")])
    found = finding(comparison)
    assert (found.verdict, found.outcome) == (verdict, outcome)
    assert found.ratio == pytest.approx(factor, rel=2e-3)
    assert found.low < found.ratio < found.high
    assert comparison.exit_code() == exit_code


def test_two_runs_of_a_machine_that_nobody_knows_cannot_tell_5_percent_and_say_that_drift_is_why():
    comparison = compared([record(STEADY)], [record(slower(1.05), "b")], run_spread=None)
    found = finding(comparison)
    assert (found.verdict, found.code) == ("inconclusive", "drift")
    assert "an assumed 14 %" in found.reason
    assert comparison.exit_code() == 3
    assert comparison.exit_code(inconclusive_passes=True) == 0


def test_the_spread_between_runs_is_measured_from_four_others_and_not_from_those_compared():
    base, new = record(STEADY), record(slower(1.12), "b")
    past = [record(slower(1 + 0.002 * n), run) for n, run in enumerate("cdefgh")]
    found = finding(compared([base], [new], [*past, base, new], run_spread=None))
    assert found.verdict == "slower"
    assert "measured" not in found.reason
    assert finding(compared([base], [new], past[:3], run_spread=None)).code == "drift"


def test_a_window_of_runs_bears_its_own_spread():
    window = [record(slower(1 + 0.002 * n), run) for n, run in enumerate("cdefgh")]
    assert finding(compared(window, [record(slower(1.12), "z")], run_spread=None)).verdict == "slower"
    wild = [record(slower(1 + 0.2 * n), run) for n, run in enumerate("cdefgh")]
    assert finding(compared(wild, [record(slower(1.12), "z")], run_spread=None)).verdict == "inconclusive"


@given(times, times)
@settings(max_examples=25)
def test_swapping_the_sides_mirrors_every_verdict(one, other):
    a, b = [record(one)], [record(other, "b")]
    there, back = ({(f.benchmark, f.metric): f for f in c.findings} for c in (compared(a, b), compared(b, a)))
    for key, found in there.items():
        assert back[key].verdict == MIRRORED.get(found.verdict, found.verdict)
        if found.ratio is not None:
            assert back[key].ratio == pytest.approx(1 / found.ratio)


@given(times)
@settings(max_examples=25)
def test_identical_sides_are_never_slower_and_no_limit_is_broken(one):
    for new in (record(one), record(one, "b")):
        comparison = compared([record(one)], [new])
        assert all(f.verdict not in {"slower", "faster"} for f in comparison.findings)
        assert comparison.outcome != "fail"


@given(times, times, st.floats(0.1, 10))
@settings(max_examples=25)
def test_a_machine_that_is_faster_at_everything_changes_no_verdict(one, other, scale):
    plain = finding(compared([record(one)], [record(other, "b")]))
    scaled = finding(compared([record([t * scale for t in one])], [record([t * scale for t in other], "b")]))
    assert scaled.ratio == pytest.approx(plain.ratio, rel=1e-3)
    edge = min(
        abs(abs(math.log(b)) - at) for b in (plain.low or 9, plain.high or 9) for at in (FIVE.log, FIVE.margin_log)
    )
    if edge > 1e-3:  # a time is kept in whole nanoseconds, so a bound right at its limit may fall to either side
        assert scaled.verdict == plain.verdict


def test_one_sample_has_no_bounds_and_zero_variance_is_no_certainty_about_drift():
    one = finding(compared([record([0.01])], [record([0.02], "b")]))
    assert (one.verdict, one.code, one.low) == ("inconclusive", "few_pairs", None)
    flat = finding(compared([record([0.01] * 9)], [record([0.0104] * 9, "b")], run_spread=None))
    assert (flat.verdict, flat.code) == ("inconclusive", "drift")


@pytest.mark.parametrize("value", [math.nan, -1.0, 0.0, math.inf])
def test_a_reading_that_is_no_positive_number_is_not_compared_and_does_not_pass(value):
    base, new = (with_metric(record(STEADY, run), "joules_per_token", 0.5) for run in "ab")
    limits = {"joules_per_token": FIVE}
    found = finding(compared([base], [with_metric(new, "joules_per_token", value)], limits=limits), "joules_per_token")
    assert (found.verdict, found.outcome, found.code) == ("not comparable", "inconclusive", "bad_reading")


def test_a_limited_metric_that_was_not_read_cannot_pass_and_says_why():
    limits = {"joules_per_token": FIVE}
    found = finding(compared([record(STEADY)], [record(STEADY, "b")], limits=limits), "joules_per_token")
    assert (found.outcome, found.code) == ("inconclusive", "no_reading")
    assert "no probe reads it" in found.reason


def test_energy_is_compared_by_the_records_value_where_blocks_do_not_tell():
    base, new = (with_metric(record(STEADY, r), "joules_per_token", v) for r, v in (("a", 0.5), ("b", 0.9)))
    found = finding(compared([base], [new], limits={"joules_per_token": FIVE}), "joules_per_token")
    assert found.ratio == pytest.approx(1.8)
    assert found.code == "few_pairs"


@pytest.mark.parametrize(
    ("factor", "outcome"), [(1.0, "pass"), (1.005, "pass"), (1.03, "fail"), (1.015, "inconclusive")]
)
def test_a_peak_of_memory_needs_no_processes_since_it_hardly_differs_from_run_to_run(factor, outcome):
    base, new = (with_metric(record(STEADY, r), "max_ram_B", v, "B") for r, v in (("a", 4e8), ("b", 4e8 * factor)))
    found = finding(compared([base], [new], limits={"max_ram_B": Limit(0.02)}), "max_ram_B")
    assert found.outcome == outcome
    assert (found.code == "no_interval") == (outcome == "inconclusive")


def test_more_throughput_is_better_and_less_is_worse():
    limits = {"throughput_tokens_per_s": FIVE}
    found = finding(compared([record(STEADY)], [record(slower(1.2), "b")], limits=limits), "throughput_tokens_per_s")
    assert (found.verdict, found.direction) == ("slower", 1)
    assert found.ratio == pytest.approx(1 / 1.2, rel=2e-3)


def test_an_exact_count_that_grows_fails_and_can_be_allowed_to():
    base, new = record(STEADY), record(STEADY, "b")
    new = replace(new, costs=new.costs | {"flops": new.costs["flops"] + 1, "bytes_moved": 1})
    comparison = compared([base], [new])
    assert finding(comparison, "flops").verdict == "slower"
    assert finding(comparison, "bytes_moved").verdict == "faster"
    assert comparison.exit_code() == 1
    assert compared([base], [new], may_grow={"flops"}).exit_code() == 0
    assert finding(compared([base], [new], may_grow={"all"}), "flops").outcome == "ungated"


def test_other_work_is_no_comparison():
    new = record(STEADY, "b")
    new = replace(new, costs=new.costs | {"tokens": new.costs["tokens"] * 2})
    assert finding(compared([record(STEADY)], [new]), "tokens").outcome == "inconclusive"


def broken(run, **axes):
    return replace(factories.record("crashed", "signal 11", **axes), run=run)


@pytest.mark.parametrize(
    ("base", "new", "verdict", "outcome", "code"),
    [
        (record(STEADY), broken("b"), "missing", "fail", "new_fails"),
        (broken("a"), record(STEADY, "b"), "new", "pass", "base_fails"),
        (broken("a"), broken("b"), "not comparable", "ungated", "both_fail"),
    ],
)
def test_a_benchmark_that_fails_on_one_side_is_told_from_one_that_fails_on_both(base, new, verdict, outcome, code):
    found = finding(compared([base], [new]), "status")
    assert (found.verdict, found.outcome, found.code) == (verdict, outcome, code)
    assert code == "base_fails" or "signal 11" in found.reason


def test_a_benchmark_that_vanished_fails_unless_it_may_and_a_new_one_passes():
    both = [record(STEADY), record(STEADY, batch_size=8)]
    gone = compared(both, [record(STEADY, "b")])
    assert finding(gone, "status").code == "only_in_base"
    assert gone.exit_code() == 1
    assert compared(both, [record(STEADY, "b")], missing_fails=False).exit_code() == 0
    added = compared([record(STEADY, "b")], both)
    assert (finding(added, "status").verdict, added.exit_code()) == ("new", 0)


OTHER = {"fingerprint": "0ther", "power_limit_W": 300.0, "torch": "2.12.0"}


def test_other_machines_are_refused_with_exactly_what_differs_unless_asked_for():
    sides = [record(STEADY)], [record(slower(2), "b", host=OTHER)]
    refused = compared(*sides)
    assert "power limit W none against 300" in refused.refused
    assert "torch 2.13.0 against 2.12.0" in refused.refused
    assert "cpu" not in refused.refused
    assert (refused.findings, refused.exit_code()) == ((), 3)
    anyway = compared(*sides, anyway=True)
    assert finding(anyway).verdict == "slower"
    assert "torch" in anyway.notes[0]


def test_records_of_several_machines_are_matched_by_machine():
    base = [record(STEADY), record(slower(3), host=OTHER)]
    new = [record(STEADY, "b"), record(slower(3), "b", host=OTHER)]
    comparison = compared(base, new)
    assert [f.verdict for f in comparison.findings if f.metric == "latency_s"] == ["same", "same"]
    assert len({f.benchmark for f in comparison.findings}) == 2
    alone = compared(base, new[:1])
    assert [f.verdict for f in alone.findings if f.metric == "latency_s"] == ["same"]
    assert "1 record of other machines" in alone.notes[0]


def test_other_threads_are_other_work():
    base, new = (replace(record(STEADY, r), facts={"threads": n}) for r, n in (("a", 1), ("b", 2)))
    assert finding(compared([base], [new]), "status").code == "other_host"
    assert finding(compared([base], [new], anyway=True)).verdict == "same"


def test_no_common_point_and_no_record_are_refused():
    assert "no point in common" in compared([record(STEADY)], [record(STEADY, "b", batch_size=8)]).refused
    assert "NEW has no record" in compared([record(STEADY)], []).refused


def test_more_limited_metrics_make_each_bound_more_careful_so_that_the_whole_gate_errs_as_rarely():
    one = finding(compared([record(STEADY)], [record(STEADY, "b")]))
    both = [[record(STEADY, run), record(STEADY, run, batch_size=8)] for run in "ab"]
    two = compared(*both).findings[0]
    assert 1 - two.confidence == pytest.approx((1 - one.confidence) / 2)


def test_people_read_words_for_what_was_measured():
    def said(name, unit, factor):
        base, new = (with_metric(record(STEADY, r), name, v, unit) for r, v in (("a", 1e8), ("b", 1e8 * factor)))
        return gate_remedies.word(finding(compared([base], [new], limits={name: Limit(0.02)}), name))

    assert [said("max_ram_B", "B", factor) for factor in (1.1, 0.9, 1.0)] == ["bigger", "smaller", "same"]
    assert said("max_ram_B", "B", 0.99) == "not worse"
    hungry = [
        with_metric(record(STEADY, r), "energy_J", v, "J")
        for r, v in zip("abcdefghijkl", [1.0] * 6 + [2.0] * 6, strict=True)
    ]
    found = finding(compared(hungry[:6], hungry[6:], limits={"energy_J": FIVE}), "energy_J")
    assert gate_remedies.word(found) == "hungrier"


def test_every_code_is_one_that_is_explained():
    comparison = compared([record(STEADY), record(STEADY, batch_size=8)], [record(slower(1.3), "b")])
    assert {each.code for each in comparison.findings} <= CODES.keys()
