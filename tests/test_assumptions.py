"""Assumptions are read and checked."""

import pytest

from bench.errors import UserError
from reports.projection.answers import Assumptions
from reports.projection.assumptions import assumptions_from, changed, check


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("life_years", 0), ("life_years", -1), ("utilization", 0), ("utilization", 1.2), ("PUE", 0.9),
        ("electricity_per_kWh", -0.1), ("hosting_per_kW_month", -1), ("system_share", -0.1), ("grid_g_per_kWh", -5),
        ("idle_W_share", 1.5), ("rented_utilization", 0), ("life_years", float("inf")), ("PUE", float("nan")),
        ("electricity_per_kWh", 1e308), ("system_share", 1e308), ("life_years", 1e-300), ("utilization", 1e-300),
        ("currency", "dollars"), ("rented", "leased"), ("life_years", "four"), ("utilization", True), ("rented", 3),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(UserError, match=name):
        changed(Assumptions(), {name: value})


def test_the_defaults_and_the_ends_of_what_is_allowed_are_accepted():
    check(Assumptions())
    check(Assumptions(utilization=1, PUE=1, electricity_per_kWh=0, grid_g_per_kWh=0, idle_W_share=0))


def test_a_file_sets_what_it_names(tmp_path):
    path = tmp_path / "money.toml"
    path.write_text('currency = "EUR"\nlife_years = 3\nPUE = 1.2\n', encoding="utf-8")
    assert assumptions_from(path) == Assumptions(currency="EUR", life_years=3.0, PUE=1.2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("utilisation = 0.5", "Did you mean 'utilization'"),
        ("utilization = 50", "from 0.001 to 1"),
        ("life_years =", "cannot be read"),
        ("[PUE]\nvalue = 1.2", "Give a number"),
    ],
)
def test_a_wrong_file_is_named_with_the_remedy(tmp_path, text, says):
    path = tmp_path / "money.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="money.toml") as caught:
        assumptions_from(path)
    assert says in str(caught.value)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        assumptions_from(tmp_path / "none.toml")
