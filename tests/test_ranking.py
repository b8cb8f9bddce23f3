"""Ranks, ties, and the options that nothing beats."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reports.projection.ranking import better, figure, front, rank, usable
from tests.fleets import option


def order(ranked):
    return [(each.outlook.candidate.label, each.rank) for each in ranked]


def test_options_far_apart_are_ranked_by_cost():
    options = [option("C", speed=500), option("A", speed=2000), option("B", speed=1000)]
    assert order(rank(options, "owned cost")) == [("A", 1), ("B", 2), ("C", 3)]
    assert order(rank(options, "speed")) == [("A", 1), ("B", 2), ("C", 3)]
    assert order(rank(options, "energy")) == [("A", 1), ("B", 2), ("C", 3)]


def test_what_the_draws_cannot_tell_apart_shares_a_rank_and_the_next_is_counted_on():
    options = [
        option("A", speed=1050, spread=0.1, seed=1),
        option("B", speed=1000, spread=0.1, seed=2),
        option("C", speed=400, spread=0.1, seed=3),
    ]
    assert order(rank(options, "owned cost")) == [("A", 1), ("B", 1), ("C", 3)]


def test_a_doubt_that_two_share_does_not_hide_which_is_better():
    """The same draws in both: one is faster in each of them, although their intervals overlap."""
    options = [option("A", speed=1050, spread=0.3, seed=1), option("B", speed=1000, spread=0.3, seed=1)]
    assert order(rank(options, "speed")) == [("A", 1), ("B", 2)]
    assert better(options[0], options[1], "speed") == 1.0


def test_options_that_miss_come_last_whatever_they_cost():
    options = [option("A", speed=9000, misses=("too late",)), option("B"), option("C", buy=None)]
    assert order(rank(options, "owned cost")) == [("B", 1), ("C", 2), ("A", 3)]


def test_options_without_a_price_are_ranked_behind_without_an_order():
    options = [option("C", buy=None, speed=9000), option("A"), option("B", buy=None)]
    ranked = rank(options, "owned cost")
    assert order(ranked)[0] == ("A", 1)
    assert {each.rank for each in ranked[1:]} == {2}
    assert usable(options, "owned cost") == (
        "owned cost",
        "Ranked without owned cost, behind those that have it: C, B.",
    )


def test_without_any_price_the_ranking_is_by_speed_and_says_so():
    options = [option("A", buy=None, rent=None), option("B", buy=None, rent=None)]
    criterion, note = usable(options, "owned cost")
    assert criterion == "speed"
    assert "no price to buy A" in note
    assert usable([option("A", buy=None)], "owned cost")[0] == "rented cost"
    assert usable([option("A", watts=None)], "energy")[0] == "speed"


def test_a_bound_never_ranks_before_an_estimate():
    """The least that it may cost is below what the other is known to cost, which says nothing of what it will."""
    options = [option("A", speed=9000, bound=True), option("B"), option("C", bound=True)]
    assert order(rank(options, "owned cost")) == [("B", 1), ("A", 2), ("C", 2)]
    assert better(options[0], options[1], "owned cost") == 0.0
    assert better(option("B", speed=99_000), options[2], "owned cost") == 1.0


def test_the_front_holds_what_nothing_beats_in_both():
    cheap, fast = option("cheap", buy=1000, speed=500), option("fast", buy=90_000, speed=5000)
    beaten, no_price = option("beaten", buy=95_000, speed=4000), option("no price", buy=None, speed=9000)
    late = option("late", buy=100, speed=9000, misses=("too late",))
    assert front([cheap, fast, beaten, no_price, late]) == (True, True, False, False, False)
    assert front([cheap, cheap]) == (True, True)
    assert front([]) == ()


candidates = st.lists(
    st.tuples(st.floats(100, 1e4), st.floats(1e3, 1e5), st.booleans(), st.booleans()), min_size=1, max_size=6
)


@given(candidates, st.sampled_from(["owned cost", "rented cost", "energy", "speed"]))
def test_a_ranking_keeps_every_option_and_never_turns_two_that_differ(rows, criterion):
    options = [
        option(str(i), speed=speed, spread=0.1, seed=i, buy=buy if priced else None, misses=("late",) if late else ())
        for i, (speed, buy, priced, late) in enumerate(rows)
    ]
    ranked = rank(options, criterion)
    assert sorted(each.outlook.candidate.label for each in ranked) == sorted(str(i) for i in range(len(rows)))
    assert ranked[0].rank == 1
    for place, (one, other) in enumerate(pairwise(ranked), start=1):
        assert other.rank in {one.rank, place + 1}
        assert one.meets >= other.meets
        if one.meets == other.meets and figure(one, criterion) and one.rank == other.rank:
            assert better(one, other, criterion) < 0.95
        assert (better(other, one, criterion) or 0) < 0.95 or one.meets > other.meets


@given(candidates)
def test_whatever_is_off_the_front_is_beaten_by_something_on_it(rows):
    options = [
        option(str(i), speed=s, buy=b, misses=("late",) if late else ()) for i, (s, b, _, late) in enumerate(rows)
    ]
    points = [(each.cost.owned_per_Mtoken.likely, -each.outlook.tokens_per_s.likely) for each in options]
    on = front(options)
    for point, each, kept in zip(points, options, on, strict=True):
        if each.meets and not kept:
            assert any(np.all(np.array(other) <= point) for other, lies in zip(points, on, strict=True) if lies)
    assert any(on) == any(each.meets for each in options)
