"""The watch over a GPU against the double of NVML, which the real pynvml loads in a child."""

import json
import os
import subprocess
import sys

import pytest

from bench.gpu_interference import MOST_DISCARDED, PAUSE_S, GpuWatch
from tests import doubles

CHILD = """
import json
from dataclasses import asdict
from bench.gpu_interference import GpuWatch
pauses, runs = [], []
watch = GpuWatch("cuda:0", pauses.append)
found, readings, warnings = watch.undisturbed(lambda: runs.append(1) or len(runs))
print(json.dumps([found, readings, [asdict(each) for each in warnings], pauses]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if reason := doubles.why_not():
        pytest.skip(reason)
    return doubles.build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def watch(library):
    """Runs one block under the double with these faults: its result, readings, warnings and pauses."""

    def run(**faults):
        variables = os.environ | {"LD_LIBRARY_PATH": str(library)}
        variables |= {f"NVML_DOUBLE_{name}": str(value) for name, value in faults.items()}
        command = [sys.executable, "-c", CHILD]
        done = subprocess.run(command, env=variables, cwd=doubles.ROOT, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return run


def test_a_block_at_the_usual_clock_is_kept(watch):
    found, readings, warnings, pauses = watch()
    assert (found, warnings, pauses) == (1, [], [])
    expected = {"timed_sm_clock_Hz": 1.41e9, "timed_temperature_C": 61, "discarded_blocks": 0}
    assert readings == expected | {"foreign_gpu_processes": 0}


def test_a_block_of_a_slow_gpu_is_discarded_and_repeated_after_a_pause(watch):
    found, readings, warnings, pauses = watch(SLOW_READS=3)
    assert (found, readings["discarded_blocks"], pauses) == (4, 3, [PAUSE_S] * 3)
    assert readings["timed_sm_clock_Hz"] == 1.41e9
    assert warnings == []


def test_a_gpu_that_stays_slow_is_measured_and_warned_about(watch):
    found, readings, (warning,), pauses = watch(SLOW_READS=1000, THROTTLE=0x40)
    assert (found, len(pauses)) == (MOST_DISCARDED + 1, MOST_DISCARDED)
    assert readings["timed_sm_clock_Hz"] == 9e8
    assert warning["code"] == "gpu_throttled"
    assert "64% of its default clock (hardware thermal slowdown)" in warning["message"]


def test_without_a_default_clock_the_fastest_one_is_what_is_usual(watch):
    # 900 of 1755 MHz: too slow; 1410 of 1755 MHz are 80 %
    assert watch(UNSUPPORTED="default", SLOW_READS=1)[1]["discarded_blocks"] == 1


def test_a_gpu_that_tells_no_clock_is_measured_once(watch):
    found, readings, warnings, _ = watch(UNSUPPORTED="clocks default")
    assert (found, warnings) == (1, [])
    assert "timed_sm_clock_Hz" not in readings


def test_a_foreign_process_on_the_gpu_is_warned_about(watch):
    _, readings, (warning,), _ = watch(OTHER_PID=1 << 30)
    assert readings["foreign_gpu_processes"] == 1
    assert warning["code"] == "foreign_gpu_process"


def test_another_point_of_the_same_sweep_is_not_foreign_on_the_gpu(watch):
    assert watch(OTHER_PID=os.getpid())[1]["foreign_gpu_processes"] == 0


def test_processes_that_are_numbered_otherwise_are_not_judged(watch):
    _, readings, warnings, _ = watch(PID=1 << 30)
    assert "foreign_gpu_processes" not in readings
    assert warnings == []


def test_without_nvml_a_block_is_measured_once():
    found, readings, warnings = GpuWatch("cpu").undisturbed(lambda: 7)
    assert (found, readings, warnings) == (7, {"discarded_blocks": 0.0}, [])
