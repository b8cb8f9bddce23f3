"""Verdicts over polls of known powers; no clock is read."""

import math

import pytest

from bench import power_verdict
from bench.power_sampler import Seen
from bench.power_trace import Poll
from bench.power_verdict import Source


def polled(value, seconds=5.0, until=math.inf):
    """Polls every 5 ms of something that is a function of the time."""
    times = [i * 0.005 for i in range(round(seconds / 0.005) + 1)]
    return [Poll(time, time, value(time)) for time in times if time <= until]


def ticks(t):
    """The last tick of a meter that is refreshed every 0.1 s."""
    return round(t * 1000) // 100 / 10


def judge(energy=(), power=(), lost=None, **source):
    polls = {name: polls for name, polls in (("energy", energy), ("power", power)) if polls}
    return power_verdict.judge(Seen(polls, 0.0, 5.0, lost), Source("the GPU", **source))


def codes(verdict):
    return [doubt.code for doubt in verdict.doubts]


ENERGY = polled(lambda t: 200 * ticks(t))
POWER = polled(lambda t: 200.0)


def test_a_healthy_meter_is_right_and_not_doubted():
    verdict = judge(ENERGY, POWER)
    assert verdict.best.watts == pytest.approx(200)
    assert verdict.uncertainty < 0.01
    assert codes(verdict) == []


def test_the_readings_stand_in_for_a_counter_that_does_not_answer():
    verdict = judge(power=POWER)
    assert verdict.best.watts == 200
    assert codes(verdict) == ["no_energy_counter"]


def test_a_meter_that_never_answered_gives_no_value():
    verdict = judge()
    assert verdict.best is None
    assert verdict.uncertainty == math.inf
    assert codes(verdict) == ["no_energy_counter"]


def test_the_weakness_of_a_reading_is_told_only_where_the_value_comes_from_it():
    weak = {"averaging_s": 1.0, "part_time": True}
    assert codes(judge(ENERGY, POWER, **weak)) == []
    assert codes(judge(power=POWER, **weak)) == ["no_energy_counter", "averaged_power", "part_time_sensor"]


@pytest.mark.parametrize(
    ("factor", "doubted"), [(1.04, []), (1.06, ["meter_disagreement"]), (0.5, ["meter_disagreement"])]
)
def test_counter_and_readings_may_differ_by_5_percent(factor, doubted):
    assert codes(judge(ENERGY, polled(lambda t: 200.0 * factor))) == doubted


def test_an_average_over_a_second_is_compared_over_its_own_window():
    """The tiles of the average leave out the beginning, in which the power was twice as high."""
    energy = polled(lambda t: 400 * min(ticks(t), 0.8) + 200 * max(ticks(t) - 0.8, 0))
    averaged = polled(lambda t: 400 - 200 * min(max(ticks(t) - 0.8, 0), 1))
    assert "meter_disagreement" not in codes(judge(energy, averaged, averaging_s=1.0))


def test_a_counter_that_answers_during_half_of_the_block_is_doubted():
    assert codes(judge(polled(lambda t: 200 * ticks(t), until=2.5))) == ["window_too_short"]


def test_a_lost_gpu_gives_nothing_but_that():
    verdict = judge(ENERGY, POWER, lost="The GPU is lost.")
    assert verdict.best is None
    assert codes(verdict) == ["gpu_lost"]


def test_meters_that_share_no_joule_add_up():
    parts = [judge(ENERGY), judge(polled(lambda t: 50 * ticks(t)))]
    total = power_verdict.together(parts)
    assert total.best.watts == pytest.approx(250)
    assert total.uncertainty == pytest.approx(parts[0].uncertainty)


def test_a_sum_that_lacks_a_part_is_no_sum():
    total = power_verdict.together([judge(ENERGY), judge()])
    assert total.best is None
    assert codes(total) == ["no_energy_counter"]
