from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record import Metric, Warn
from reports.acceptance import SCHEMA, Pack, Requirement, judge
from reports.acceptance_score import Ratio, Score, ranked, score
from tests import factories, sides

VERSION = {"pinchpoint": "0.1.0"}
#: Eight processes about 10 ms.
TIMES = [0.0100 + 0.0001 * n for n in range(-4, 5)]
DECODE = {"workload": "decode"}


def returned(times=TIMES, **axes):
    return sides.record(times, "a", VERSION, **(axes or DECODE))


def at_most(limit, metric="latency_s", unit="s", weight=1.0, **axes):
    return Requirement(axes or DECODE, metric, "at most", limit, unit, "made up", weight)


def at_least(limit, metric="throughput_tokens_per_s", unit="tokens/s", **axes):
    return Requirement(axes or DECODE, metric, "at least", limit, unit, "made up")


def pack(*requirements, **fields):
    return Pack(SCHEMA, "Racks", "2026-01-02T03:04:05+00:00", requirements, **({"pinchpoint": "0.1.0"} | fields))


def verdict(requirement, *records):
    (found,) = judge(pack(requirement), records or [returned()], {}).judged
    return found


@pytest.mark.parametrize(
    ("limit", "said", "code"),
    [(0.011, "met", 0), (0.0100, "cannot tell", 3), (0.0101, "cannot tell", 3), (0.009, "missed", 1)],
)
def test_a_limit_is_met_or_missed_by_the_whole_interval_alone(limit, said, code):
    verdicts = judge(pack(at_most(limit)), [returned()], {})
    assert [each.verdict for each in verdicts.judged] == [said]
    assert verdicts.exit_code == code


def test_of_a_rate_more_is_better():
    rate = returned().metrics["throughput_tokens_per_s"].value
    assert verdict(at_least(0.9 * rate)).verdict == "met"
    assert verdict(at_least(1.1 * rate)).verdict == "missed"
    assert verdict(at_least(0.5 * rate)).ratio.value == pytest.approx(2)


def test_too_few_processes_tell_nothing_however_good_they_are():
    found = verdict(at_most(1.0), returned(TIMES[:5]))
    assert found.verdict == "cannot tell"
    assert "5 processes: too few" in found.reason


def test_a_peak_has_no_interval_and_is_judged_by_its_value():
    peak = returned().metrics["max_ram_B"].value
    assert verdict(at_most(peak, "max_ram_B", "B")).verdict == "met"
    assert verdict(at_most(peak - 1, "max_ram_B", "B")).verdict == "missed"


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([returned(workload="train")], "no record of this point"),
        ([factories.record("oom", "It was killed.", workload="decode")], "out of memory: It was killed"),
        ([sides.with_metric(returned(), "latency_s", None)], "no meter"),
        ([sides.with_metric(returned(), "latency_s", 0.009, "ms")], "it is in ms, and the limit in s"),
        ([sides.with_metric(returned(), "latency_s", -1.0, "s")], "no ratio"),
        ([sides.with_metric(returned(), "latency_s", 1e-320, "s")], "no ratio"),
        ([replace(returned(), blocks=[])], "no samples"),
        ([replace(returned(), facts={"imported_from": "other 1.0"})], "measured by other 1.0"),
    ],
)  # fmt: skip
def test_what_has_no_figure_is_missing_with_its_reason_and_gets_no_number(records, says):
    verdicts = judge(pack(at_most(1.0), at_most(1e12, "max_ram_B", "B", workload="prefill")), records, {})
    found = verdicts.judged[0]
    assert (found.verdict, says in found.reason, found.ratio) == ("missing", True, None)
    assert verdicts.score == Score(None, reason="2 of 2 figures are missing")
    assert verdicts.exit_code == 3


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda r: [*r, returned(workload="train")], "points"),
        (lambda r: [replace(r[0], host=r[0].host | {"fingerprint": "other"}), *r[1:]], "machine"),
        (lambda r: [replace(each, host=each.host | {"pinchpoint": "0.0.9"}) for each in r], "version"),
        (lambda r: [replace(each, facts={"imported_from": "other"}) for each in r], "origin"),
    ],
)
def test_records_that_are_not_as_asked_for_are_not_accepted_however_good(change, name):
    asked = pack(at_most(1.0), at_most(1.0, batch_size=8))
    good = [returned(), returned(batch_size=8)]
    assert judge(asked, good, {}).exit_code == 0
    verdicts = judge(asked, change(good), {})
    assert name in [check.name for check in verdicts.faults]
    assert verdicts.exit_code == 3


def test_other_settings_are_a_fault_and_unknown_ones_are_said():
    asked = pack(at_most(1.0), settings={"rounds": 5})
    assert judge(asked, [returned()], {"rounds": 5}).exit_code == 0
    assert "rounds 2 for 5" in judge(asked, [returned()], {"rounds": 2}).faults[0].sentence
    unknown = judge(asked, [returned()], None)
    assert unknown.exit_code == 0
    assert [check.name for check in unknown.checks if check.outcome == "note"] == ["settings"]


def test_a_miss_under_foreign_load_cannot_be_told_and_a_figure_met_in_spite_of_it_is_met():
    loaded = replace(returned(), warnings=[Warn("foreign_load", "Another process ran.", "End it.")])
    hot = replace(returned(), warnings=[Warn("throttled", "It ran hot.", "Cool it.")])
    assert verdict(at_most(0.009), loaded).verdict == "cannot tell"
    assert verdict(at_most(0.011), loaded).verdict == "met"
    assert verdict(at_most(0.009), hot).verdict == "missed"
    assert [c.name for c in judge(pack(at_most(1.0)), [hot], {}).checks if c.outcome == "note"] == ["warnings"]


def test_an_energy_by_a_meter_in_doubt_cannot_be_told():
    metered = factories.with_energy(returned())
    limit = at_most(1.0, "joules_per_token", "J/token")
    assert verdict(limit, metered).verdict == "met"
    frozen = replace(metered, warnings=[Warn("counter_frozen", "It stood still.", "Repeat it.")])
    assert verdict(limit, frozen).verdict == "cannot tell"


def test_the_score_is_the_weighted_geometric_mean_of_the_ratios():
    found = score([(Ratio(2.0, 1.0, 4.0), 3.0), (Ratio(0.5, 0.25, 1.0), 1.0)])
    assert found.value == pytest.approx((2**3 * 0.5) ** (1 / 4))
    assert (found.low, found.high) == pytest.approx((0.25 ** (1 / 4), 4 ** (3 / 4)))
    assert score([(Ratio(2.0), 1.0), (Ratio(2.0, 1.0, 4.0), 1.0)]).low is None


@settings(max_examples=10)
@given(
    st.floats(1e-6, 1e6),
    st.lists(st.floats(0.1, 10.0), min_size=2, max_size=2),
    st.randoms(use_true_random=False),
)
def test_neither_a_unit_nor_the_order_of_the_limits_changes_the_score(factor, weights, random):
    records = [returned(), returned(workload="prefill")]
    asked = [at_most(0.009, weight=weights[0]), at_most(0.02, weight=weights[1], workload="prefill"), at_least(1000.0)]
    before = judge(pack(*asked), records, {}).score

    def in_another_unit(metric):
        scaled = {name: getattr(metric, name) * factor for name in ("value", "low", "high")}
        return replace(metric, **scaled, unit="other")

    other_records = [
        replace(r, metrics=r.metrics | {"latency_s": in_another_unit(r.metrics["latency_s"])}) for r in records
    ]
    other = [replace(each, limit=each.limit * factor, unit="other") for each in asked[:2]] + asked[2:]
    after = judge(pack(*other), other_records, {}).score
    assert (after.value, after.low, after.high) == pytest.approx((before.value, before.low, before.high))
    random.shuffle(asked)
    assert judge(pack(*asked), records, {}).score == before


def test_a_time_and_the_rate_that_it_is_the_inverse_of_score_alike():
    rate = Metric(50.0, "1/s", 1, "rate", 40.0, 60.0, 9)
    time = Metric(1 / 50, "s", -1, "time", 1 / 60, 1 / 40, 9)
    both = replace(returned(), metrics={"throughput_tokens_per_s": rate, "latency_s": time})
    by_rate = judge(pack(at_least(30.0, unit="1/s")), [both], {}).score
    assert judge(pack(at_most(1 / 30)), [both], {}).score.value == pytest.approx(by_rate.value)


def test_offers_whose_intervals_overlap_share_a_place_and_a_better_outcome_comes_before_a_better_score():
    scores = [
        (0, Score(1.2, 1.1, 1.3)), (0, Score(1.25, 1.2, 1.3)), (0, Score(1.02, 1.0, 1.05)),
        (1, Score(9.0, 8.0, 10.0)), (1, Score(None)), (2, Score(9.0, 8.0, 10.0)),
    ]  # fmt: skip
    assert [(each.index, each.place) for each in ranked(scores)] == [(1, 1), (0, 1), (2, 3), (3, 4), (4, 5), (5, 6)]
