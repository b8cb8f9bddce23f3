import gc
import time

import pytest

from bench.stopwatch import time_iterations


def test_each_iteration_gives_one_sample_and_the_step_runs_no_more_often():
    calls = []
    samples = time_iterations(lambda: calls.append(1), 7)
    assert len(samples) == len(calls) == 7
    assert all(sample > 0 for sample in samples)


def test_a_sample_is_no_shorter_than_what_the_step_takes():
    assert all(sample >= 2_000_000 for sample in time_iterations(lambda: time.sleep(0.002), 3))


def test_the_collector_is_off_while_the_clock_runs_and_on_again_after():
    seen = []
    time_iterations(lambda: seen.append(gc.isenabled()), 2)
    assert seen == [False, False]
    assert gc.isenabled()


def test_a_step_that_raises_leaves_the_collector_on():
    with pytest.raises(ZeroDivisionError):
        time_iterations(lambda: 1 / 0, 1)
    assert gc.isenabled()
