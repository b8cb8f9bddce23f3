import pytest

from bench.record import Metric
from reports import tables
from reports.estimate import Ratio
from tests.factories import record


def difference(value: float | None, low: float | None = None, high: float | None = None) -> str:
    return tables.difference(Metric(value, "nat", -1, "Δ", low, high)).text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.01234, 0.0103, 0.0143, "+0.0123 ±0.0020"),
        (-0.5, -0.51, -0.49, "−0.500 ±0.010"),
        (1.371, None, None, "+1.37"),
        (0.00004, 0.0, 0.00008, "0.0000 ±0.0000"),
        (12.3, 12.0, 12.6, "+12.3 ±0.3"),
        (0.0, None, None, "0"),
        (0.0, -0.001, 0.001, "0.0000 ±0.0010"),
        (None, None, None, "—"),
        (float("nan"), 0.0, 0.0, "—"),
    ],
)
def test_a_difference_has_a_sign_and_as_many_decimals_as_can_be_read(value, low, high, text):
    assert difference(value, low, high) == text


@pytest.mark.parametrize(
    ("measured", "text"),
    [
        ((105.91, 105.66, 106.51), "105.9 [105.7, 106.5]†"),
        ((12.3, 11.9, 12.8), "12.3 [11.9, 12.8]†"),
        ((2.0, 2.0, 2.0), "2.00 [2.00, 2.00]†"),
        ((100.0, 99.9999, 100.0001), "100.00 [100.00, 100.00]†"),
        ((0.57, None, None), "0.570†"),
        (None, "—"),
    ],
)
def test_an_interval_has_as_many_digits_as_tell_it_from_its_value(measured, text):
    assert tables.cell(measured, 1.0, "plain", "†").text == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (Ratio(1.42, 1.38, 1.45, 80, 8), "1.42× [1.38, 1.45]"),
        (Ratio(0.787, 0.781, 0.793, 80, 8), "0.787× [0.781, 0.793]"),
        (Ratio(1.03, 1.002, 1.05, 80, 8), "1.030× [1.002, 1.050]"),
        (Ratio(1.0, 1.0, 1.0, 80, 8), "1.00× [1.00, 1.00]"),
        (Ratio(1.42, None, None, 20, 2), "1.42×"),
    ],
)
def test_a_ratio_has_as_many_digits_as_tell_its_bounds_from_it_and_from_1(ratio, text):
    assert tables.times(ratio).replace("\u00a0", " ") == text


def test_axes_in_which_records_agree_need_not_be_said():
    same = tables.constant([record(batch_size=1), record(batch_size=8, prune=0.5)])
    assert "size" in same
    assert not {"batch_size", "prune"} & set(same)


def test_a_dimension_that_no_row_of_a_table_sets_has_no_column():
    plain, other = record(), record(encoder="lstm", architecture="classifier")
    assert "encoder" in tables.unsaid([plain])
    assert "encoder" not in tables.unsaid([plain, other])
    assert "size" not in tables.unsaid([plain])
