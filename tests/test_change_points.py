"""What is told of made-up series whose truth is known, by the functions that read a history."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports import change_points
from tests import factories

LOGS = st.lists(st.floats(-5, 5, allow_subnormal=False), min_size=6, max_size=14)


def noise(runs, seed):
    return np.random.default_rng(seed).normal(0, 0.03, runs)


def test_noise_alone_is_seldom_split():
    """Half of alpha is for changes: of 120 histories 3 are expected to be split, and 9 or more in one of 500 tries."""
    split = sum(bool(change_points.splits(noise(16, seed), change_points.ALPHA / 2)) for seed in range(120))
    assert split <= 8


def test_a_step_of_ten_percent_in_noise_of_three_is_found_where_it_is():
    near = 0
    for seed in range(30):
        logs = noise(20, seed) + np.where(np.arange(20) >= 12, math.log(1.1), 0)
        near += any(abs(split.at - 12) <= 1 for split in change_points.splits(logs, change_points.ALPHA / 2))
    assert near >= 27


def test_a_level_that_comes_back_does_not_hide_the_change():
    logs = noise(24, 1) / 3 + np.where((np.arange(24) >= 9) & (np.arange(24) < 15), math.log(1.1), 0)
    assert sorted(split.at for split in change_points.splits(logs)) == [9, 15]


def test_a_constant_series_has_neither_change_nor_drift():
    assert change_points.splits([0.5] * 20) == []
    assert change_points.slope([0.5] * 20).p == 1.0


@given(LOGS)
@settings(max_examples=20)
def test_the_same_history_reads_the_same_every_time_and_scaling_it_changes_nothing(logs):
    rounded = [round(log, 3) for log in logs]
    found = change_points.splits(rounded)
    assert change_points.splits(rounded) == found
    assert [s.at for s in change_points.splits([log + 1.0 for log in rounded])] == [s.at for s in found]


@given(LOGS)
@settings(max_examples=30)
def test_the_energies_are_those_of_the_definition_and_of_the_reversed_series(logs):
    values = np.array(logs)
    found = change_points._energies(values[None])[0]
    for energy, a, t, k in zip(found, *change_points._intervals(len(values)), strict=True):
        left, right = values[a:t], values[t:k]
        n, m = len(left), len(right)
        across, within, beyond = (
            np.abs(np.subtract.outer(*p)).mean() for p in ((left, right), (left,) * 2, (right,) * 2)
        )
        assert energy == pytest.approx(n * m / (n + m) * (2 * across - within - beyond), abs=1e-9)
    backwards = change_points._energies(values[::-1][None])[0]
    assert sorted(found) == pytest.approx(sorted(backwards), abs=1e-9)


def test_fewer_runs_than_are_asked_for_cannot_show_even_the_clearest_change():
    fewest = change_points.fewest()
    clearest = [0.0, 1.0] * (fewest // 2)
    clearest = sorted([*clearest, 0.0][:fewest])
    (found,) = change_points.splits(clearest, change_points.ALPHA / 2)
    assert found.p <= change_points.ALPHA / 2
    assert change_points.splits(sorted(clearest)[1:], change_points.ALPHA / 2) == []


@given(LOGS, LOGS)
@settings(max_examples=30)
def test_a_shift_mirrors_when_its_sides_are_swapped(before, after):
    forth, back = change_points.shift(before, after), change_points.shift(after, before)
    assert forth.log == pytest.approx(-back.log, abs=1e-12)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-12)
    assert forth.low <= forth.log <= forth.high


def test_three_runs_on_both_sides_give_a_shift_without_an_interval():
    found = change_points.shift([0.0, 0.1, 0.2], [1.0, 1.1, 1.2])
    assert found.log == pytest.approx(1.0)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("sides", [(5, 7), (25, 25)])
def test_intervals_of_a_shift_hold_the_truth(sides):
    """95 % of 200 are 190; fewer than 181 would come once in a thousand tries. Both ways of counting ranks are used."""
    random = np.random.default_rng(sides[0])
    held = 0
    for _ in range(200):
        found = change_points.shift(random.standard_t(3, sides[0]), random.standard_t(3, sides[1]) + 0.5)
        held += found.low <= 0.5 <= found.high
    assert held >= 181


def test_a_line_is_told_from_a_step():
    line = noise(20, 3) / 3 + 0.01 * np.arange(20)
    step = np.log(factories.step(10, 10, 1.1))
    for logs, steps in ((line, False), (step, True)):
        places = [split.at for split in change_points.splits(logs)]
        assert change_points.steps_fit_better(logs, places, change_points.slope(logs).log) is steps


def test_of_many_series_a_finding_must_be_clearer_to_count():
    assert change_points.threshold([0.04]) == pytest.approx(0.05)
    assert change_points.threshold([0.04, 0.9, 0.9]) == 0
    assert change_points.threshold([0.01, 0.02, 0.9]) == pytest.approx(0.05 * 2 / 3)
    assert change_points.threshold([]) == 0
