"""Prices of devices: what may stand in the catalogue, and which one is used."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from reports import prices
from reports.datasheets import parse, shipped
from reports.prices import Price, PriceKind, choose

PRICED = [device for device in shipped().device if device.price]
ONE = """
[sources.page]
where = "vendor.example/one"
standing = "vendor"

[[device]]
name = "One 40"
vendor = "Maker"
kind = "data-center"
[device.power]
limit_W = 250
sources = ["page"]
[[device.price]]
kind = "cloud"
amount = 1.5
currency = "USD"
per = "hour"
date = "2026-03"
sources = ["page"]
"""


def price(kind="cloud", amount=1.0, currency="USD", date="2026"):
    return Price(kind, amount, currency, "device" if kind in prices.OWNED else "hour", date, ("page",))


def test_every_kind_of_price_is_in_the_catalogue_and_data_center_devices_have_some_of_each():
    kinds = {each.kind for found in PRICED for each in found.price}
    assert kinds == set(get_args(PriceKind))
    h100 = next(found for found in PRICED if found.name == "NVIDIA H100 SXM")
    assert {each.kind for each in h100.price} >= {"street", "cloud", "reserved", "spot"}
    assert len(PRICED) >= 60


@pytest.mark.parametrize("found", PRICED, ids=lambda found: found.name)
def test_every_price_is_of_a_size_that_only_the_right_unit_gives_and_says_where_it_was_read(found):
    for each in found.price:
        least, most = (50, 60_000) if each.per == "device" else (0.1, 15)
        assert least <= each.amount <= most
        assert each.currency == "USD"
        assert each.date == prices.UNDATED or "2014" <= each.date[:4] <= "2026"
        assert (each.date != prices.UNDATED) or each.note or each.kind == "street"
        assert shipped().where(each)
        assert shipped().standing(each) in ("vendor", "secondary")


def test_spare_capacity_costs_less_than_a_term_and_that_less_than_on_demand_of_one_seller():
    """Sellers differ more than kinds do, so only prices from one page are held against each other."""
    for found in PRICED:
        by_source = {}
        for each in found.price:
            by_source.setdefault((each.sources, each.date), {})[each.kind] = each.amount
        for kinds in by_source.values():
            ordered = [kinds[kind] for kind in ("spot", "reserved", "cloud") if kind in kinds]
            if found.name != "AMD MI300X":  # the page names two sellers
                assert ordered == sorted(ordered)


def test_the_first_kind_that_a_device_has_is_used():
    found = [price("list", 1500), price("cloud", 2.0), price("spot", 0.5)]
    assert choose(found, ("street", "list"), "USD").amount == 1500
    assert choose(found, ("spot", "cloud"), "USD").amount == 0.5
    assert choose(found, ("reserved",), "USD") is None
    assert choose(found, (), "USD") is None
    assert choose([], prices.OWNED, "USD") is None


def test_prices_in_another_currency_are_not_used():
    found = [price("list", 1500, "EUR"), price("list", 1700, "USD")]
    assert choose(found, ("list",), "EUR").amount == 1500
    assert choose(found, ("list",), "GBP") is None


def test_the_newest_price_is_used_and_of_equally_new_ones_the_lowest():
    dated = [price(amount=amount, date=date) for amount, date in ((3, "2025-12-31"), (4, "2026-03"), (5, "2026-03"))]
    assert choose(dated, ("cloud",), "USD").amount == 4
    assert choose([*dated, price(amount=1, date="undated")], ("cloud",), "USD").amount == 4
    assert choose([price(amount=9, date="2026"), price(amount=8, date="2026-01")], ("cloud",), "USD").amount == 8


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('currency = "USD"', 'currency = "usd"'), "One 40, price.0.currency: 'usd' is no ISO 4217 code"),
        (('currency = "USD"', 'currency = "$"'), "One 40, price.0.currency"),
        (('kind = "cloud"', 'kind = "rent"'), "One 40, price.0.kind"),
        (('per = "hour"', 'per = "month"'), "One 40, price.0.per"),
        (('per = "hour"', 'per = "device"'), "One 40, price: a cloud price is per hour, not per device"),
        (('kind = "cloud"', 'kind = "list"'), "One 40, price: a list price is per device, not per hour"),
        (("amount = 1.5", "amount = 0"), "One 40, price.0.amount"),
        (("amount = 1.5", 'amount = "1.5"'), "One 40, price.0.amount"),
        (('date = "2026-03"', 'date = "March 2026"'), "One 40, price.0.date: 'March 2026' is no date"),
        (('date = "2026-03"', 'date = "2026-13"'), "One 40, price.0.date"),
        (('date = "2026-03"', "date = 2026-03-01"), "One 40, price.0.date"),
        (('date = "2026-03"', ""), "One 40, price.0.date"),
        (('date = "2026-03"', 'date = "2026-03"\nmonthly = 3'), "One 40, price.0.monthly"),
    ],
)
def test_a_malformed_price_is_refused_with_the_place(change, told):
    assert change[0] in ONE
    with pytest.raises(UserError) as refused:
        parse(ONE.replace(*change, 1), "small")
    assert told in refused.value.message
    assert "small" in refused.value.message


def test_a_price_names_a_source_that_is_there():
    head, _, tail = ONE.rpartition('sources = ["page"]')
    with pytest.raises(UserError, match="price of One 40 names the source 'hearsay'"):
        parse(head + 'sources = ["hearsay"]' + tail, "small")


@given(st.lists(st.builds(price, amount=st.floats(0.1, 9), date=st.sampled_from(["undated", "2025", "2026-03"]))))
def test_whatever_prices_there_are_one_of_them_is_used(found):
    chosen = choose(found, ("cloud",), "USD")
    assert (chosen in found) if found else chosen is None
