"""Turns: everyone who takes part, once a round, in an order that favours nobody."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.interleave import turns


def order(seed=0):
    return random.Random(seed)


@given(st.integers(0, 6), st.sets(st.integers(), max_size=6), st.integers())
def test_everyone_has_one_turn_in_each_round_and_rounds_follow_each_other(count, members, seed):
    found = list(turns(range(count), lambda _: sorted(members), order(seed)))
    assert [round_ for round_, _ in found] == [round_ for round_ in range(count) for _ in members]
    assert sorted(found) == [(round_, member) for round_ in range(count) for member in sorted(members)]


def test_every_order_of_a_round_is_about_as_frequent():
    found = [member for _, member in turns(range(6000), lambda _: "abc", order())]
    frequency = Counter(tuple(found[start : start + 3]) for start in range(0, len(found), 3))
    assert len(frequency) == 6
    assert all(850 <= times <= 1150 for times in frequency.values())  # 1000 +- 5 standard deviations of 29


def test_the_same_seed_gives_the_same_order():
    first, again, other = (list(turns(range(9), lambda _: "abcd", order(seed))) for seed in (1, 1, 2))
    assert first == again != other


def test_who_takes_part_is_asked_anew_in_each_round():
    taking_part = {3: "ab", 7: "c", 8: ""}
    found = list(turns(taking_part, taking_part.__getitem__, order()))
    assert sorted(found) == [(3, "a"), (3, "b"), (7, "c")]


def test_a_member_that_fails_before_its_turn_is_passed_over():
    live = ["a", "b", "c"]
    found = []
    for round_, member in turns(range(2), lambda _: live, order()):
        found.append((round_, member))
        if len(found) == 1:
            live.remove(failed := next(other for other in live if other != member))
    assert failed not in [member for _, member in found]
    assert len(found) == 4


def test_a_member_that_joins_waits_for_the_next_round():
    live = ["a"]
    found = []
    for round_, member in turns(range(2), lambda _: live, order()):
        found.append((round_, member))
        live[1:] = ["b"]
    assert found[0] == (0, "a")
    assert sorted(found[1:]) == [(1, "a"), (1, "b")]


def test_a_round_is_asked_for_only_when_the_one_before_is_over():
    asked = []

    def rounds():
        for round_ in range(3):
            asked.append(round_)
            yield round_

    for round_, _ in turns(rounds(), lambda _: "ab", order()):
        assert asked[-1] == round_


def test_the_callers_list_keeps_its_order():
    members = list("abcdef")
    list(turns(range(5), lambda _: members, order()))
    assert members == list("abcdef")
