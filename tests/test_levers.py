"""What a decision hangs on: at the value that a lever names, two costs are the same."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.projection.answers import Assumptions
from reports.projection.demand import replicas
from reports.projection.levers import MOST, levers
from reports.projection.ownership import cost
from tests.fleets import option, outlook, price

ASSUMED = Assumptions()
#: Cheap to buy and hungry; dear and frugal: power, life and utilization decide between the two.
HUNGRY = {"name": "Imaginary A", "buy": 5_000, "rent": 4.0, "speed": 1000, "watts": 700}
FRUGAL = {"name": "Imaginary B", "buy": 9_000, "rent": 3.5, "speed": 1000, "watts": 150}


def owned(kind, assumed, **changed):
    values = kind | changed
    seen = outlook(values["name"], speed=values["speed"], watts=values["watts"])
    return cost(seen, 1, assumed, [price(values["buy"])]).owned_per_Mtoken.likely


def named(found, name, sign=None):
    return next(each for each in found if each.name == name and (sign is None or each.change * sign > 0))


def every_lever(options, assumed, criterion, monkeypatch, demand=None):
    monkeypatch.setattr("reports.projection.levers.MOST", 99)
    return levers(options, assumed, criterion, demand)


@pytest.mark.parametrize("name", ["electricity_per_kWh", "life_years", "PUE"])
def test_at_the_value_of_a_lever_both_cost_the_same(name, monkeypatch):
    assumed = replace(ASSUMED, electricity_per_kWh=0.2)
    found = every_lever(
        [option(assumptions=assumed, **kind) for kind in (HUNGRY, FRUGAL)], assumed, "owned cost", monkeypatch
    )
    lever = named(found, name)
    turned = replace(assumed, **{name: getattr(assumed, name) * (1 + lever.change)})
    assert owned(HUNGRY, turned) == pytest.approx(owned(FRUGAL, turned), rel=1e-3)
    assert owned(HUNGRY, assumed) < owned(FRUGAL, assumed)
    assert "owning the Imaginary B is cheaper than owning the Imaginary A" in lever.sentence


def test_little_use_speaks_for_renting():
    """Owning one device at 20 % costs more than renting it by the hour; the sentence says from where."""
    only = option(buy=20_000, rent=2.0)
    lever = named(levers([only], ASSUMED, "owned cost"), "utilization")
    value = ASSUMED.utilization * (1 + lever.change)
    turned = option(buy=20_000, rent=2.0, assumptions=replace(ASSUMED, utilization=value)).cost
    assert turned.owned_per_Mtoken.likely == pytest.approx(turned.rented_per_Mtoken.likely, rel=1e-3)
    assert re.fullmatch(
        r"Below 0\.\d\d utilization renting the Imaginary A is cheaper than owning the Imaginary A \(now 0\.60\)\.",
        lever.sentence,
    )


def test_where_renting_is_cheaper_now_it_says_from_which_use_owning_is():
    rarely = replace(ASSUMED, utilization=0.2)
    lever = named(levers([option(buy=20_000, rent=2.0, assumptions=rarely)], rarely, "owned cost"), "utilization")
    assert lever.change > 0
    assert lever.sentence.startswith("Above 0.")
    assert "owning the Imaginary A is cheaper than renting the Imaginary A" in lever.sentence


def test_a_price_is_said_at_which_the_second_best_wins():
    free = replace(ASSUMED, electricity_per_kWh=0)
    options = [
        option("A", buy=10_000, rent=None, assumptions=free),
        option("B", buy=12_500, rent=None, assumptions=free),
    ]
    found = levers(options, free, "owned cost")
    assert named(found, "price of B").change == pytest.approx(-0.2, abs=1e-3)
    assert named(found, "price of A").change == pytest.approx(0.25, abs=1e-3)
    assert "If the B cost less than 10,000 USD to buy (now 12,500)" in named(found, "price of B").sentence


def test_a_price_is_that_of_all_options_of_a_device():
    """Two of a device beat one of it by their speed, not by a price that both of them have."""
    free = replace(ASSUMED, electricity_per_kWh=0)
    options = [
        option("A", buy=10_000, rent=None, speed=speed, devices=devices, assumptions=free)
        for speed, devices in ((1000, 1), (2500, 2))
    ]
    assert {each.name for each in levers(options, free, "owned cost")} == {"speed of A", "speed of 2 x A"}


def test_the_doubt_is_laid_at_the_door_of_the_speed_that_makes_it():
    options = [option("A", speed=1100, spread=0.02, seed=1), option("B", speed=1000, spread=0.3, seed=2)]
    found = levers(options, ASSUMED, "owned cost")
    share = int(re.search(r"(\d+)% comes", named(found, "speed of B").sentence)[1])
    assert share > 90
    assert named(found, "speed of B").change == pytest.approx(0.1, abs=0.01)


def test_a_speed_that_saves_a_replica_turns_a_decision():
    """3 of A at 1000 tokens/s for 2100: as soon as 2 will do, A is cheaper than 2 of B."""
    options = [
        option(name, buy=buy, speed=speed, replicas=count, demand=2100)
        for name, buy, speed, count in (("A", 8_000, 1000, 3), ("B", 10_000, 1100, 2))
    ]
    assert [replicas(each.outlook.tokens_per_s, 2100).safe for each in options] == [3, 2]
    assert named(levers(options, ASSUMED, "owned cost", 2100), "speed of A").change == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize(("criterion", "turns"), [("speed", "faster"), ("energy", "more frugal")])
def test_by_speed_and_energy_the_projection_itself_is_the_lever(criterion, turns):
    found = levers([option("A", speed=1100), option("B", speed=1000)], ASSUMED, criterion)
    assert [each.name for each in found] == [f"{criterion} of B", f"{criterion} of A"][
        :: 1 if criterion == "energy" else -1
    ]
    assert all(f"the B would be {turns} than the A" in each.sentence for each in found)


def test_what_nothing_can_be_compared_with_has_no_levers():
    assert levers([], ASSUMED, "owned cost") == ()
    assert levers([option(rent=None)], ASSUMED, "owned cost") == ()
    assert levers([option("A"), option("B", misses=("too late",))], ASSUMED, "speed") == ()
    assert levers([option("A", bound=True), option("B", bound=True)], ASSUMED, "owned cost") == ()
    assert levers([option(buy=None), option("B", buy=None)], ASSUMED, "owned cost") == ()


positive = st.tuples(st.floats(1e3, 5e4), st.floats(0.2, 10), st.floats(100, 1e4), st.floats(50, 1000))


@given(st.lists(positive, min_size=1, max_size=4), st.sampled_from(["owned cost", "rented cost"]), st.floats(0.1, 1))
def test_levers_come_by_their_size_and_each_turns_what_it_says(rows, criterion, utilization):
    assumed = replace(ASSUMED, utilization=utilization)
    kinds = [
        {"name": str(i), "buy": b, "rent": r, "speed": s, "watts": w, "seed": i} for i, (b, r, s, w) in enumerate(rows)
    ]
    found = levers([option(assumptions=assumed, **kind) for kind in kinds], assumed, criterion)
    sizes = [abs(each.change) for each in found]
    assert len(found) <= MOST
    assert sizes == sorted(sizes)
    for lever in found:
        turn = re.search(
            r"(owning|renting) the (\d) (?:is|would be) cheaper than (owning|renting) the (\d)", lever.sentence
        )
        if lever.name not in {"utilization", "electricity_per_kWh", "life_years", "PUE"}:
            continue

        def costs(factor, lever=lever, turn=turn):
            changed = replace(assumed, **{lever.name: getattr(assumed, lever.name) * factor})
            both = [option(assumptions=changed, **kinds[int(turn[place])]).cost for place in (2, 4)]
            return [
                getattr(each, f"{way.replace('ing', 'ed')}_per_Mtoken").likely
                for each, way in zip(both, (turn[1], turn[3]), strict=True)
            ]

        now_winner, now_loser = costs(1.0)
        then_winner, then_loser = costs(1 + lever.change)
        assert now_winner > now_loser
        assert then_winner <= then_loser * (1 + 1e-9)
        assert then_winner == pytest.approx(then_loser, rel=1e-3)
