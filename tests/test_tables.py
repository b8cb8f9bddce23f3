import pytest

from bench.record import Metric
from reports import tables
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


def test_axes_in_which_records_agree_need_not_be_said():
    same = tables.constant([record(batch_size=1), record(batch_size=8, prune=0.5)])
    assert "size" in same
    assert not {"batch_size", "prune"} & set(same)


def test_a_dimension_that_no_row_of_a_table_sets_has_no_column():
    plain, other = record(), record(encoder="lstm", architecture="classifier")
    assert "encoder" in tables.unsaid([plain])
    assert "encoder" not in tables.unsaid([plain, other])
    assert "size" not in tables.unsaid([plain])
