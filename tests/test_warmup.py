import math
import random
from statistics import median

import pytest

from bench.warmup import LEAST_S, drift, drift_error, steady, warm_up


class Machine:
    """A made-up workload: its iterations take the given times, and its clock is the sum of them."""

    def __init__(self, seconds):
        self.seconds, self.now, self.taken = seconds, 0.0, 0

    def run(self, n):
        out = []
        for _ in range(n):
            took = self.seconds(self.taken)
            self.taken += 1
            self.now += took
            out.append(round(took * 1e9))
        return out

    def clock(self):
        return self.now


def warm(seconds, limit_s=10.0):
    machine = Machine(seconds)
    return warm_up(machine.run, limit_s, machine.clock), machine


def white(draw, spread):
    return lambda: draw.gauss(0, spread)


def heavy(draw, spread):
    """Pareto: never faster than the machine allows, now and then far slower."""
    return lambda: spread * (min(draw.paretovariate(1.5), 50) - 1)


def students_t(draw, spread):
    """With 2 degrees of freedom: no finite variance."""
    return lambda: max(spread * draw.gauss(0, 1) / math.sqrt(draw.expovariate(1)), -0.9)


def ar1(draw, spread):
    """Each iteration remembers 0.7 of the one before."""
    last = [0.0]

    def step():
        last[0] = 0.7 * last[0] + math.sqrt(1 - 0.7**2) * draw.gauss(0, 1)
        return spread * last[0]

    return step


QUIET = {"0.5 %": (white, 0.005), "2 %": (white, 0.02)}
NOISY = {"white": (white, 0.1), "heavy": (heavy, 0.05), "t": (students_t, 0.05), "AR(1)": (ar1, 0.05)}

#: What iteration i takes longer than it will, as a share.
WARM_UPS = {
    "decay": lambda i: 0.5 * math.exp(-i / 50),
    "compile step": lambda i: 200.0 if i == 0 else 5.0 if i == 3 else 0.0,
    "frequency ramp": lambda i: 0.3 * max(1 - i / 100, 0),
    "step": lambda i: 0.15 if i < 40 else 0.0,
}


def simulated(excess, kind, spread, limit_s, seed):
    """A workload of 1 ms; what the warm-up saw, how long it took, and the excess that was left."""
    noise = kind(random.Random(seed), spread)
    found, machine = warm(lambda i: 1e-3 * max(1 + excess(i) + noise(), 0.1), limit_s)
    return found, machine.now, excess(found.iterations)


@pytest.mark.parametrize("noise", QUIET)
@pytest.mark.parametrize("name", WARM_UPS)
def test_a_warm_up_on_a_quiet_machine_is_never_cut_short(name, noise):
    for seed in range(20):
        found, _, left = simulated(WARM_UPS[name], *QUIET[noise], 10.0, seed)
        assert found.steady
        assert left < 0.01


@pytest.mark.parametrize("noise", QUIET)
def test_a_slow_decay_is_seen_on_a_quiet_machine(noise):
    for seed in range(20):
        found, _, left = simulated(lambda i: 0.2 * math.exp(-i / 200), *QUIET[noise], 10.0, seed)
        assert found.steady
        assert left < 0.01


@pytest.mark.parametrize("noise", NOISY)
@pytest.mark.parametrize("name", WARM_UPS)
def test_a_warm_up_on_a_noisy_machine_is_seldom_cut_short(name, noise):
    left = [simulated(WARM_UPS[name], *NOISY[noise], 1.0, seed)[2] for seed in range(40)]
    assert sum(excess > 0.02 for excess in left) <= 2


@pytest.mark.parametrize("noise", [*QUIET, *NOISY])
def test_steady_work_passes_soon_however_noisy_it_is(noise):
    runs = [simulated(lambda _: 0.0, *(QUIET | NOISY)[noise], 1.0, seed) for seed in range(40)]
    assert sum(found.steady is True for found, _, _ in runs) >= 38
    assert median(seconds for _, seconds, _ in runs) < 0.2


def test_work_that_grows_forever_is_not_steady():
    for seed in range(20):
        found, _, _ = simulated(lambda i: i / 1000, white, 0.02, 1.0, seed)
        assert found.steady is False


def test_a_workload_that_settles_is_steady_and_its_first_iterations_do_not_count():
    found, _ = warm(lambda i: 0.1 if i < 4 else 0.01)
    assert found.steady
    assert not found.warnings
    assert found.iteration_s == pytest.approx(0.01)
    assert found.iterations < 30


def test_long_iterations_are_judged_as_soon_as_there_are_enough():
    found, _ = warm(lambda i: 1.0 + 0.001 * (i % 2), limit_s=100.0)
    assert found.steady
    assert found.iterations == 12


def test_short_iterations_last_long_enough_for_clocks_to_settle():
    found, machine = warm(lambda _: 1e-5)
    assert found.steady
    assert LEAST_S <= machine.now < 1.2 * LEAST_S


def test_a_workload_that_keeps_drifting_is_warned_about_at_the_time_limit():
    found, machine = warm(lambda i: 0.01 * 1.05**i, limit_s=2.0)
    assert found.steady is False
    assert found.warnings[0].code == "no_steady_state"
    assert machine.now == pytest.approx(2.0, rel=0.4)


def test_a_time_limit_is_kept_within_an_iteration():
    _, machine = warm(lambda i: 0.001 * (1 + i / 1000), limit_s=0.05)
    assert machine.now == pytest.approx(0.05, abs=0.002)


def test_noise_that_would_hide_a_warm_up_is_told_from_drift():
    untold = 0
    for seed in range(40):
        noise = white(random.Random(seed), 0.5)
        found, _ = warm(lambda _, noise=noise: 0.1 * max(1 + noise(), 0.1), limit_s=2.0)
        assert not found.steady
        untold += [warning.code for warning in found.warnings] == ["short_warmup"]
    assert untold >= 34


def test_three_iterations_run_even_without_time():
    found, _ = warm(lambda _: 5.0, limit_s=0.0)
    assert found.iterations == 3
    assert found.steady is None
    assert [warning.code for warning in found.warnings] == ["short_warmup"]


def test_one_outlier_is_no_drift():
    samples = [1.0] * 9 + [50.0]
    assert abs(drift(samples)) < 0.01
    assert drift_error(samples) == pytest.approx(0, abs=0.01)
    assert steady(samples)


def test_drift_is_the_change_over_the_window():
    assert drift([100, 101, 102, 103, 104]) == pytest.approx(4 / 102)
    assert drift_error([100, 101, 102, 103, 104]) == 0


def test_the_standard_error_of_the_drift_is_what_it_varies_by():
    draw = random.Random(1)
    rows = [[1 + draw.gauss(0, 0.05) for _ in range(20)] for _ in range(300)]
    drifts = [drift(row) for row in rows]
    spread = math.sqrt(sum(each**2 for each in drifts) / len(drifts))
    assert median(map(drift_error, rows)) == pytest.approx(spread, rel=0.2)
