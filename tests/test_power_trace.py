"""The estimators against powers that are known in closed form; no clock is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bench import power_trace
from bench.power_trace import Poll


def polled(times, value):
    return [Poll(time, time, value(time)) for time in times]


def test_energy_is_taken_between_the_counters_own_ticks():
    ticking = polled([i / 100 for i in range(1001)], lambda t: 200 * (round(t * 100) // 10) / 10)
    found = power_trace.from_counter(ticking)
    assert found.watts == pytest.approx(200)
    assert found.start_s % 0.1 == pytest.approx(0.095)  # the first poll after a tick, less half a period of polling


def test_late_polls_widen_the_bound_that_is_told():
    prompt = power_trace.from_counter(polled([0, 0.01, 0.99, 1.0], lambda t: round(t * 100)))
    late = power_trace.from_counter(polled([0, 0.2, 0.8, 1.0], lambda t: round(t * 100)))
    assert prompt.tick_error < 0.02 < late.tick_error


@pytest.mark.parametrize("times", [[], [0.0], [0.0, 1.0]])
def test_too_few_polls_give_no_estimate(times):
    assert power_trace.from_counter(polled(times, lambda t: t)) is None


def test_a_plateau_stays_level_under_the_trapezoid_rule():
    step = polled([i / 100 for i in range(201)], lambda t: 100.0 if t < 1 else 300.0)
    assert power_trace.from_power(step, 0, 2).watts == pytest.approx(200, rel=0.03)


def test_an_average_over_a_second_is_tiled_and_never_overlaps():
    ramp = polled([i / 100 for i in range(301)], lambda t: 100 * (t - 0.5))  # the mean of 100 t over the last second
    found = power_trace.from_power(ramp, 0.4, 3.0, averaging_s=1.0)
    assert (found.start_s, found.end_s) == (1.0, 3.0)
    assert found.watts == pytest.approx(200, rel=0.005)  # the mean of 100 t over 1 s to 3 s, but for the polls


def ticking(seconds, joules, tick_s=0.1, period_s=0.01):
    """Polls of a counter that is refreshed every `tick_s`; `joules` gives the joules drawn until a time."""
    times = [i * period_s for i in range(round(seconds / period_s) + 1)]
    return polled(times, lambda t: joules(tick_s * (round(t / period_s) // round(tick_s / period_s))))


def falling(t):
    """Joules after t seconds of 400 W that become 250 W at 2.5 s."""
    return 400 * min(t, 2.5) + 250 * max(t - 2.5, 0)


@given(some.floats(10, 700), some.floats(0, 1e4), some.floats(0.5, 5))
def test_a_wrapped_counter_counts_on(watts, start, period):
    range_J = 12_345.0
    straight = polled([i * period / 10 for i in range(50)], lambda t: start + watts * t)
    wrapped = [Poll(p.asked_s, p.answered_s, p.value % range_J) for p in straight]
    found = power_trace.unwrapped(wrapped, range_J)
    assert found[-1].value - found[0].value == pytest.approx(straight[-1].value - straight[0].value, rel=1e-6)
    assert not power_trace.was_reset(found)


def test_a_fall_that_no_wrap_explains_is_a_reset_and_gives_no_estimate():
    reset = polled([i / 100 for i in range(500)], lambda t: 5_000 + 100 * t if t < 2 else 100 * (t - 2))
    assert power_trace.was_reset(power_trace.unwrapped(reset, range_joules=262_143.0))
    assert power_trace.from_counter(power_trace.unwrapped(reset, range_joules=262_143.0)) is None


def test_a_leap_that_no_device_can_draw_is_a_reset_too():
    leaping = polled([i / 100 for i in range(500)], lambda t: 100 * t + (1e6 if t > 2 else 0))
    assert power_trace.was_reset(leaping)


@pytest.mark.parametrize("tick_s", [0.01, 0.1, 0.5])
def test_a_counter_that_ticks_is_neither_reset_nor_frozen(tick_s):
    steady = ticking(5, lambda t: 700 * t, tick_s)
    assert not power_trace.was_reset(steady)
    assert not power_trace.stood_still(steady)


@pytest.mark.parametrize("still", [(0, 2), (1, 3), (3, 5)])
def test_a_counter_that_stands_still_for_a_while_gives_no_estimate(still):
    begins, ends = still
    frozen = ticking(5, lambda t: 200 * (t - max(min(t, ends) - begins, 0)))
    assert power_trace.stood_still(frozen)
    assert power_trace.from_counter(frozen) is None


def test_the_drift_of_the_power_bounds_what_the_unseen_ends_may_weigh():
    polls = ticking(5, falling)
    seen = power_trace.from_counter([poll for poll in polls if poll.time_s < 4])
    truth = falling(5) / 5
    assert seen.drift == pytest.approx(150 / 340, rel=0.1)
    assert 0.03 < seen.watts / truth - 1 < seen.unseen_error(0, 5) + 0.03
    assert seen.unseen_error(seen.start_s, seen.end_s) == 0


def test_of_a_steady_power_the_unseen_ends_weigh_nothing():
    seen = power_trace.from_counter(ticking(5, lambda t: 200 * t))
    assert seen.unseen_error(0, 5) < 1e-3


def test_a_counter_of_few_ticks_leaves_its_drift_unknown():
    assert power_trace.from_counter(ticking(5, falling, tick_s=1.0)).unseen_error(0, 5) > 0.05


def test_between_two_refreshes_a_reading_leaves_its_change_uncertain():
    steady = polled([i / 100 for i in range(501)], lambda t: 200.0)
    stepping = polled([i / 100 for i in range(501)], lambda t: 100.0 if t % 0.8 < 0.4 else 300.0)
    assert power_trace.from_power(steady, 0, 5).tick_error == 0
    found = power_trace.from_power(stepping, 0, 5)
    assert abs(found.watts / 200 - 1) < 0.1
    assert 0.01 < found.tick_error < 0.1
