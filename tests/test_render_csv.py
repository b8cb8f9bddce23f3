import io
import math
from dataclasses import replace

import pandas as pd
import pytest

from bench.axes import AXES
from reports import render_csv
from tests import factories

RECORDS = factories.troubled(factories.sweep())


def read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])


def test_there_is_one_row_a_record_in_the_order_given():
    frame = render_csv.frame(RECORDS)
    assert list(frame["point"]) == [record.point for record in RECORDS]
    assert list(frame["status"]) == [record.status for record in RECORDS]


def test_every_axis_has_a_column():
    assert {axis.name for axis in AXES} <= set(render_csv.frame(RECORDS).columns)


def test_a_value_survives_the_file_with_its_interval_in_si_units():
    row = read(render_csv.render(RECORDS)).iloc[0]
    metric = RECORDS[0].metrics["latency_s"]
    assert row["latency_s"] == pytest.approx(metric.value)
    assert row["latency_s_low"] == pytest.approx(metric.low)
    assert row["latency_s_high"] == pytest.approx(metric.high)
    assert row["latency_s_n"] == metric.n


def test_a_missing_value_is_empty_with_its_reason_beside_it():
    row = render_csv.frame(RECORDS).iloc[0]
    assert math.isnan(row["joules_per_token"])
    assert row["joules_per_token_reason"] == factories.NO_METER


def test_a_failure_keeps_its_row_with_its_reason():
    frame = read(render_csv.render(RECORDS))
    failed = frame[frame["status"] == "oom"]
    assert "512 MiB" in failed["reason"].iloc[0]
    assert failed["latency_s"].isna().all()


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)"])
def test_no_cell_is_a_formula(text):
    record = factories.record("crashed", text)
    assert read(render_csv.render([record]))["reason"].iloc[0] == f"'{text}"
    assert render_csv.frame([record])["reason"].iloc[0] == text


def test_quotes_commas_and_line_feeds_survive():
    text = 'a "b", c\nd'
    assert read(render_csv.render([factories.record("crashed", text)]))["reason"].iloc[0] == text


def test_negative_numbers_stay_numbers():
    record = factories.record()
    cold = replace(record.metrics["latency_s"], value=-3.5)
    frame = read(render_csv.render([replace(record, metrics={"temperature_change": cold})]))
    assert frame["temperature_change"].iloc[0] == -3.5


def test_no_records_give_an_empty_table():
    assert render_csv.frame([]).empty
    assert render_csv.render([]).strip() == ""


def test_why_a_value_has_no_interval_stands_beside_it():
    row = render_csv.frame([factories.record(rounds=2)]).iloc[0]
    assert row["latency_s"] > 0
    assert row["latency_s_reason"] == "2 processes: too few for a 95 % interval, which takes 6."
    assert row["processes"] == 2


def test_warnings_that_concern_times_have_a_column_of_their_own():
    plain, noisy = factories.record(), factories.masked(factories.noisy(factories.record()))
    table = render_csv.frame([plain, noisy])
    assert list(table["doubtful_times"]) == ["", "noisy_host"]
    assert list(table["warnings"]) == ["", "masked_only noisy_host"]


def test_what_a_tracker_of_memory_saw_has_columns_of_bytes_or_the_reason_for_none():
    seen, plain = factories.tracked(factories.record()), factories.record(batch_size=2)
    failed = replace(plain, facts=plain.facts | {"untracked": "compiled code"})
    table = render_csv.frame([seen, failed])
    assert table["tracked_workspace_B"].iloc[0] == 2 * 2**20
    assert table["tracked_most_gradients_B"].iloc[0] == seen.costs["gradients_B"]
    assert table["untracked"].iloc[1] == "compiled code"
