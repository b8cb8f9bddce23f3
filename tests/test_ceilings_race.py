"""Which contender wins, by how much, and when a measurement ends: all with scripted clocks."""

from bench.ceilings import _race


def fake(seconds, work=1.0):
    """A contender whose clock is a script: it gives `seconds`, the last for ever."""
    left = list(seconds)

    def timed(iterations):
        return [left.pop(0) if len(left) > 1 else left[0] for _ in range(iterations)]

    return _race.Contender(timed, work)


def test_more_work_in_a_second_wins_though_it_takes_longer():
    winner = _race.fastest({"short": fake([1.0], work=1), "long": fake([2.0], work=5)})
    assert winner == _race.Winner("long", [2.5] * _race.ROUNDS)


def test_a_lucky_sample_of_the_search_is_not_the_result():
    lucky = {"lucky": fake([1.0, 1.0, 0.01, 1.0]), **{f"steady {i}": fake([0.5 + i / 100]) for i in range(3)}}
    winner = _race.fastest(lucky)
    assert winner.name == "steady 0"
    assert set(winner.rates) == {2.0}


def test_a_disturbed_iteration_does_not_lower_its_round():
    rates = _race.rounds({"one": fake([0.005, 0.005, *[0.005, 0.5, 0.005, 0.005] * 9])}, 9)["one"]
    assert rates == [200.0] * 9


def test_past_its_time_a_measurement_ends_with_the_fewest_rounds_that_give_an_interval():
    winner = _race.fastest({"slow": fake([1.0])}, limit_s=0)
    assert len(winner.rates) == _race.FEWEST_ROUNDS
    assert _race.as_rate(winner, "B/s", "slow", "").low is not None


def test_a_duration_is_the_inverse_of_the_rate_with_its_bounds_in_order():
    found = _race.as_duration(_race.Winner("x", [1, 2, 4, 4, 4, 4, 4, 8, 10]), "x", "")
    assert (found.value, found.low, found.high) == (0.25, 0.125, 0.5)
