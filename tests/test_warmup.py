import pytest

from bench.warmup import drift, warm_up


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


def test_a_workload_that_settles_is_steady_and_its_first_iterations_do_not_count():
    found, _ = warm(lambda i: 0.1 if i < 4 else 0.01)
    assert found.steady
    assert not found.warnings
    assert found.iteration_s == pytest.approx(0.01)
    assert found.iterations < 20


def test_a_workload_that_keeps_drifting_is_warned_about_at_the_time_limit():
    found, machine = warm(lambda i: 0.01 * 1.05**i, limit_s=2.0)
    assert not found.steady
    assert found.warnings[0].code == "no_steady_state"
    assert machine.now == pytest.approx(2.0, rel=0.2)


def test_three_iterations_run_even_without_time():
    found, _ = warm(lambda _: 5.0, limit_s=0.0)
    assert found.iterations == 3
    assert found.steady is None
    assert [warning.code for warning in found.warnings] == ["short_warmup"]


def test_one_outlier_is_no_drift():
    assert abs(drift([1.0] * 9 + [50.0])) < 0.01


def test_drift_is_the_change_over_the_window():
    assert drift([100, 101, 102, 103, 104]) == pytest.approx(4 / 102)
