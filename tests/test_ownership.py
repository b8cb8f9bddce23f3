"""What a fleet costs: by hand in two ways, with bounds, and without prices."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.projection.answers import Assumptions
from reports.projection.ownership import cost
from tests.fleets import estimate, outlook, price

PLAIN = Assumptions(system_share=0.0, system_W_share=0.0, idle_W_share=0.0)
positive = st.floats(0.01, 1e6)


def test_the_cost_of_a_token_agrees_with_a_life_counted_through():
    """The whole life: everything paid over everything generated. 8 devices of 20,000 as 2 replicas of 4."""
    assumed = Assumptions(life_years=5, utilization=0.5, electricity_per_kWh=0.2, PUE=1.5, hosting_per_kW_month=100)
    assumed = replace(assumed, system_share=0.25, system_W_share=0.2, idle_W_share=0.4)
    found = cost(outlook(speed=3000, watts=2000, devices=4), 2, assumed, [price(20_000)])
    hours = 5 * 365.25 * 24
    kW = 2 * 2.0 * 1.2
    kWh = (kW * hours / 2 + 0.4 * kW * hours / 2) * 1.5
    paid = 8 * 20_000 * 1.25 + kWh * 0.2 + kW * 60 * 100
    generated = 2 * 3000 * 3600 * hours / 2
    assert found.devices == 8
    assert found.capital == 200_000
    assert found.power_kW.likely == pytest.approx(4.8)
    assert found.energy_kWh_month.likely == pytest.approx(kWh / 60)
    assert found.owned_per_Mtoken.likely == pytest.approx(paid / generated * 1e6)
    assert found.owned_per_Mtoken.unit == "USD/Mtoken"


def test_the_cost_of_a_token_agrees_with_the_formula_of_a_busy_second():
    """(capital / (life * utilization) + W * PUE * price) / (tokens/s): what each busy second must earn."""
    found = cost(outlook(speed=1000, watts=700), 1, replace(PLAIN, utilization=0.3), [price(30_000)])
    capital_per_busy_s = 30_000 / (4 * 31_557_600 * 0.3)
    power_per_busy_s = 700 * 1.3 * 0.12 / 3.6e6
    assert found.owned_per_Mtoken.likely == pytest.approx((capital_per_busy_s + power_per_busy_s) / 1000 * 1e6)


def test_energy_of_a_busy_device_does_not_hang_on_its_utilization():
    free = price(1e-9)
    half, full = (cost(outlook(), 1, replace(PLAIN, utilization=u), [free]).owned_per_Mtoken.likely for u in (0.5, 1))
    assert half == pytest.approx(full)


def test_a_demand_below_the_capacity_is_all_that_earns():
    """A quarter of the capacity is asked for at the busiest time: a quarter of the tokens, the same capital."""
    dear = replace(PLAIN, electricity_per_kWh=0)
    all_of_it = cost(outlook(speed=1000), 1, dear, [price(20_000), price(2, "cloud")])
    quarter = cost(outlook(speed=1000), 1, dear, [price(20_000), price(2, "cloud")], demand_tokens_per_s=250)
    assert quarter.owned_per_Mtoken.likely == pytest.approx(4 * all_of_it.owned_per_Mtoken.likely)
    assert quarter.rented_per_Mtoken.likely == pytest.approx(4 * all_of_it.rented_per_Mtoken.likely)
    assert quarter.energy_kWh_month.likely == pytest.approx(all_of_it.energy_kWh_month.likely / 4)


def test_an_hour_on_demand_is_paid_while_it_works_and_a_reserved_one_always():
    seen, half = outlook(speed=1000), replace(PLAIN, utilization=0.5)
    on_demand = cost(seen, 1, half, [price(3.6, "cloud")])
    kept = cost(seen, 1, replace(half, rented_utilization=0.5), [price(3.6, "cloud")])
    reserved = cost(seen, 1, half, [price(3.6, "reserved")])
    assert on_demand.rented_per_Mtoken.likely == pytest.approx(1.0)
    assert kept.rented_per_Mtoken.likely == reserved.rented_per_Mtoken.likely == pytest.approx(2.0)


def test_months_to_break_even_are_where_both_have_paid_the_same():
    found = cost(outlook(watts=1000), 1, replace(PLAIN, utilization=0.5), [price(10_000), price(2, "cloud")])
    months = found.break_even_months.likely
    rent, power = 2 * 730.5 / 2, found.energy_kWh_month.likely * 0.12
    assert 10_000 + months * power == pytest.approx(months * rent)


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        ([price(10_000), price(0.05, "cloud")], "owning never pays"),
        ([price(90_000), price(1, "cloud")], "a device is kept for 48"),
        ([price(10_000)], "no price to rent"),
        ([price(2, "spot")], "no price to buy"),
    ],
)
def test_there_is_a_reason_where_owning_never_breaks_even(prices, reason):
    found = cost(outlook(watts=1000), 1, PLAIN, prices)
    assert found.break_even_months is None
    assert reason in found.missing["break_even_months"]


def test_a_missing_price_leaves_the_rest_of_the_answer():
    found = cost(outlook(), 3, PLAIN, [])
    assert found.capital is found.owned_per_Mtoken is found.rented_per_Mtoken is None
    assert "no price to buy Imaginary A" in found.missing["owned_per_Mtoken"]
    assert found.power_kW.likely == pytest.approx(1.5)


def test_currencies_are_never_converted():
    found = cost(outlook(), 1, PLAIN, [price(10_000, currency="EUR"), price(2, "cloud")])
    assert found.owned_per_Mtoken is None
    reason = found.missing["owned_per_Mtoken"]
    assert "EUR" in reason
    assert "USD" in reason
    assert "give a price in USD" in reason
    assert found.rented_per_Mtoken is not None
    in_euro = cost(outlook(), 1, replace(PLAIN, currency="EUR"), [price(10_000, currency="EUR")])
    assert in_euro.owned_per_Mtoken.unit == "EUR/Mtoken"


def test_the_newest_street_price_goes_before_a_list_price_and_the_wanted_rent_before_others():
    prices = [
        price(1, "list", date="2026-09"), price(2, "street", date="2025-12"), price(3, "street", date="2026-03"),
        price(4, "street", date="undated"), price(5, "cloud"), price(6, "spot"),
    ]  # fmt: skip
    found = cost(outlook(), 1, PLAIN, prices)
    assert (found.bought_at, found.rented_at) == (prices[2], prices[4])
    assert cost(outlook(), 1, replace(PLAIN, rented="spot"), prices).rented_at == prices[5]
    assert cost(outlook(), 1, replace(PLAIN, rented="reserved"), prices).rented_at == prices[4]


def test_the_limit_of_a_speed_gives_the_least_cost():
    found = cost(outlook(bound=True), 1, PLAIN, [price(20_000), price(2, "cloud")])
    known = cost(outlook(), 1, PLAIN, [price(20_000), price(2, "cloud")])
    for name in ("owned_per_Mtoken", "rented_per_Mtoken"):
        bound = getattr(found, name)
        assert bound.kind == "at_least"
        assert bound.draws.tolist() == pytest.approx([getattr(known, name).likely])


def test_without_a_power_the_cost_of_owning_is_at_least_that_of_capital():
    found = cost(outlook(watts=None), 1, PLAIN, [price(20_000), price(2, "cloud")])
    free = cost(outlook(), 1, replace(PLAIN, electricity_per_kWh=0), [price(20_000), price(2, "cloud")])
    assert found.owned_per_Mtoken.kind == found.break_even_months.kind == "at_least"
    assert found.owned_per_Mtoken.likely == pytest.approx(free.owned_per_Mtoken.likely)
    assert found.power_kW is found.CO2_kg_month is None
    assert "no figure of the power" in found.missing["electricity"]


def test_the_limit_of_a_power_gives_the_most_energy():
    seen = replace(outlook(), power_W=estimate(700, "W", kind="at_most"))
    found = cost(seen, 1, replace(PLAIN, grid_g_per_kWh=400), [price(20_000)])
    assert {e.kind for e in (found.power_kW, found.energy_kWh_month, found.CO2_kg_month)} == {"at_most"}
    assert found.owned_per_Mtoken.kind == "at_most"


def test_grams_of_the_grid_become_kilograms_a_month():
    found = cost(outlook(), 2, replace(PLAIN, grid_g_per_kWh=250), [])
    assert found.CO2_kg_month.likely == pytest.approx(found.energy_kWh_month.likely / 4)
    assert "grid_g_per_kWh" in cost(outlook(), 2, PLAIN, []).missing["CO2_kg_month"]


def test_draws_stay_paired():
    """A draw that is twice as fast costs half of that draw, capital alone."""
    seen = outlook(spread=0.3)
    found = cost(seen, 1, replace(PLAIN, electricity_per_kWh=0), [price(20_000)])
    assert np.ptp(found.owned_per_Mtoken.draws * seen.tokens_per_s.draws) < 1e-6


@given(positive, positive, st.integers(1, 50), st.floats(1.01, 100))
def test_costs_scale_as_money_and_speed_do(amount, speed, replicas, factor):
    def owned(amount=amount, speed=speed, replicas=replicas, assumed=PLAIN):
        return cost(outlook(speed=speed), replicas, assumed, [price(amount)]).owned_per_Mtoken.likely

    base = owned()
    # more replicas cost and make more alike; in cents, all costs are a hundred times the number
    assert owned(replicas=2 * replicas) == pytest.approx(base)
    cents = replace(PLAIN, electricity_per_kWh=PLAIN.electricity_per_kWh * 100)
    assert owned(amount=amount * 100, assumed=cents) == pytest.approx(100 * base)
    assert owned(speed=speed * factor) == pytest.approx(base / factor)


@given(
    st.sampled_from(
        ["life_years", "utilization", "electricity_per_kWh", "PUE", "hosting_per_kW_month", "system_share"]
    ),
    st.floats(0.05, 1),
    st.floats(1.01, 20),
)
def test_the_cost_of_owning_rises_and_falls_with_each_assumption(name, low, factor):
    falls = {"life_years", "utilization"}
    low = low + 1 if name == "PUE" else low
    high = min(low * factor, 1.0) if name == "utilization" else low * factor
    costs = [cost(outlook(), 2, replace(Assumptions(), **{name: v}), [price(20_000)], 1500) for v in (low, high)]
    before, after = (found.owned_per_Mtoken.likely for found in costs)
    assert after <= before * (1 + 1e-12) if name in falls else after >= before * (1 - 1e-12)
    assert math.isfinite(after)
