import json
import math
from dataclasses import replace

import pytest

from bench.errors import UserError
from reports import change_points, history, history_data, history_words
from tests import factories


def trend(records, metric="latency_s"):
    (found,) = history.trends(records, [metric])
    return found


def stepped(**axes):
    return factories.past(factories.step(8, 8, 1.1), **axes)


def test_a_step_is_told_with_its_runs_its_size_and_its_interval():
    found = trend(stepped())
    (change,) = found.changes
    assert change.at == 8
    assert change.low < 1.1 < change.high
    assert change.ratio == pytest.approx(1.1, abs=0.02)
    (sentence,) = history_words.sentences(found)
    assert "slower, between run 20260108-030405-0008 (commit 000000000008) and run 20260109" in sentence
    assert found.drift is None


def test_a_slow_drift_is_told_as_one_and_not_as_steps():
    found = trend(factories.past([3e-3 * 1.006**run * (1 + 0.002 * (-1) ** run) for run in range(20)]))
    assert found.changes == ()
    assert found.drift.per_run == pytest.approx(1.006, abs=0.001)
    assert found.drift.in_all == pytest.approx(1.006**19, abs=0.01)
    assert "drift: +0.6 %" in history_words.sentences(found)[0]
    assert "since run 20260101" in history_words.sentences(found)[0]


def test_a_drift_after_a_step_is_told_since_the_step():
    before = factories.step(10, 0, 1)
    after = [3.6e-3 * 1.01**run for run in range(14)]
    found = trend(factories.past([*before, *after]))
    assert [change.at for change in found.changes][-1] == found.drift.start
    assert found.drift.start >= 10


def test_constant_noisy_histories_seldom_tell_anything():
    """5 % of 60 are 3; 9 or more would come once in 300 tries."""
    told = 0
    for seed in range(60):
        records = factories.past(factories.step(14, 0, 1, noise=0.03, seed=seed))
        told += trend(records).moved
    assert told <= 8


def test_a_certain_change_of_less_than_a_percent_is_not_told():
    found = trend(factories.past(factories.step(8, 8, 1.004, noise=0.0002)))
    assert not found.moved


def test_scaling_changes_nothing_but_the_level():
    latencies = factories.step(8, 8, 1.2)
    once, thrice = trend(factories.past(latencies)), trend(factories.past([3 * each for each in latencies]))
    assert [c.ratio for c in once.changes] == pytest.approx([c.ratio for c in thrice.changes])


@pytest.mark.parametrize("runs", [1, change_points.fewest() - 1])
def test_too_few_runs_tell_nothing_and_say_so(runs):
    found = trend(factories.past(factories.step(runs // 2, runs - runs // 2, 2)))
    assert not found.moved
    assert history_words.verdict(found) == f"{runs} of {change_points.fewest()} runs"


def test_runs_that_failed_or_have_no_number_are_kept_with_their_reason_and_count_for_nothing():
    records = factories.past([None, *factories.step(8, 8, 1.1)])
    broken = [math.nan, -1.0, 0.0, math.inf, None]
    for place, value in enumerate(broken, start=1):
        metric = replace(records[place].metrics["latency_s"], value=value, reason="no clock" if value is None else None)
        records[place] = replace(records[place], metrics={"latency_s": metric})
    found = trend(records)
    assert len(found.measured) == 16 - len(broken)
    assert found.readings[0].reason == "out of memory: the kernel killed it"
    assert found.readings[1].reason == "the reading nan is no positive finite number"
    assert found.readings[5].reason == "no clock"
    assert history_words.sparkline(found, 20).startswith("······")
    assert found.changes[0].at == 8 - len(broken)


def test_bounds_that_are_no_numbers_are_left_out():
    (record,) = factories.past([3e-3])
    metric = replace(record.metrics["latency_s"], low=math.nan)
    found = trend([replace(record, metrics={"latency_s": metric})])
    assert (found.readings[0].low, found.readings[0].high) == (None, None)
    json.loads(history_data.to_json([found]))


def test_another_host_or_text_starts_a_series_of_its_own():
    slow = [replace(r, host=r.host | {"fingerprint": "other"}) for r in factories.past([6e-3] * 9, first=10)]
    text = [replace(r, facts=r.facts | {"corpus_sha256": "x"}) for r in factories.past([9e-3] * 9, first=20)]
    found = history.trends([*factories.past([3e-3] * 9), *slow, *text], ["latency_s"])
    assert [each.setup for each in found] == ["A", "B", "C"]
    assert [len(each.readings) for each in found] == [9, 9, 9]
    assert not any(each.moved for each in found)


def test_a_record_given_twice_counts_once_and_experiments_do_not_count():
    from bench.record import Experiment

    records = factories.past([3e-3] * 3)
    tried = replace(records[0], run="other", experiments=[Experiment("lower_clock", [0.1], {})])
    assert len(trend([*records, *records, tried]).readings) == 3


def test_only_the_last_runs_are_looked_at_when_told_so():
    (found,) = history.trends(stepped(), ["latency_s"], last=5)
    assert [reading.run[6:8] for reading in found.readings] == ["12", "13", "14", "15", "16"]


def test_a_lone_change_among_many_points_of_few_runs_is_said_to_be_out_of_reach():
    many = [r for n in range(40) for r in factories.past(factories.step(10, 0, 1, seed=n), batch_size=n + 1)]
    told = " ".join(history_words.notes(history.trends(many, ["latency_s"])))
    assert "cannot be told from chance" in told
    assert "cannot be told from chance" not in " ".join(history_words.notes([trend(stepped())]))


def test_a_gain_is_called_better_whichever_way_the_metric_points():
    records = stepped()
    rates = [replace(r.metrics["throughput_tokens_per_s"], value=1 / r.metrics["latency_s"].value) for r in records]
    slower = [replace(r, metrics={"throughput_tokens_per_s": m}) for r, m in zip(records, rates, strict=True)]
    (sentence,) = history_words.sentences(trend(slower, "throughput_tokens_per_s"))
    assert sentence.startswith("−")
    assert ", worse" in sentence


def test_csv_has_a_row_a_run_and_the_change_where_it_begins():
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(history_data.to_csv([trend(stepped())]))))
    assert len(rows) == 16
    assert [row["commit"] for row in rows if row["change"]] == ["000000000009"]
    assert rows[0]["time"] == "2026-01-01T03:04:05+00:00"
    assert rows[0]["branch"] == "main"


def test_csv_never_begins_a_cell_as_a_formula():
    (record,) = factories.past([3e-3])
    hostile = replace(record, run="=cmd()", host=record.host | {"git_branch": "@x\n"})
    text = history_data.to_csv([trend([hostile])])
    assert "'=cmd()" in text
    assert "'@x," in text


def test_a_file_for_otava_has_a_number_for_each_metric_in_every_row():
    records = factories.past([None, *factories.step(8, 8, 1.1)])
    found = history.trends(records, ["latency_s", "max_ram_B"])
    head, *rows = history_data.to_otava(found).splitlines()
    assert head == "time,commit,branch,run,latency_s,max_ram_B"
    assert len(rows) == 16
    assert all(float(cell) > 0 for row in rows for cell in row.split(",")[4:])


def test_a_file_for_otava_of_several_points_is_refused():
    several = history.trends([*stepped(), *stepped(batch_size=4)], ["latency_s"])
    with pytest.raises(UserError, match="holds one point") as raised:
        history_data.to_otava(several)
    assert several[0].point[:6] in raised.value.remedy
