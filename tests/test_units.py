import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import units


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.00207, "s", "2.07 ms"),
        (3.2e-5, "s", "32.0 µs"),
        (1536, "B", "1.50 KiB"),
        (25276063744, "B", "23.5 GiB"),
        (7.8e9, "FLOP/s", "7.80 GFLOP/s"),
        (1234567, "tokens/s", "1.23 Mtok/s"),
        (12.34, "tokens/s", "12.3 tok/s"),
        (0.5, "tokens/s", "0.500 tok/s"),
        (250.4, "W", "250 W"),
        (0.6, "", "0.600"),
        (0, "s", "0 s"),
        (None, "s", "—"),
    ],
)
def test_a_quantity_has_three_digits_and_a_prefix(value, unit, shown):
    assert units.quantity(value, unit) == shown


def test_the_bounds_of_an_interval_share_the_values_unit_and_decimals():
    assert units.interval(0.0123, 0.0119, 0.0131, "s") == "12.3 [11.9, 13.1] ms"
    assert units.interval(0.0123, None, None, "s") == "12.3 ms"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(8.2, "8 s"), (59.7, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_a_duration_reads_like_speech(seconds, shown):
    assert units.duration(seconds) == shown


@given(st.floats(min_value=1e-8, max_value=1e15))
def test_a_number_is_never_shown_with_an_exponent_or_a_wrong_magnitude(value):
    shown = float(units.digits(value).replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.006)
    assert "e" not in units.digits(value)
