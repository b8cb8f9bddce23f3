"""The guard of a GPU's clock and power limit, against the double of NVML: whatever ends, the settings are as before.

The double keeps what is set in a file, as a GPU does beyond the life of a process.
"""

import json
import math
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from bench import interventions
from bench.clock_guard import ClockGuard
from bench.diagnosis import Diagnosis
from bench.errors import Unsupported
from bench.executors.local import Child, ChildFailed, cache_folder
from bench.interventions import Change, Conditions, Lowered
from bench.points import point
from tests import doubles
from tests.conftest import SMALL
from tests.test_interventions import setting

GPU = "GPU-000000a0-0000-0000-0000-000000000000"
SECOND = "GPU-000000a1-0000-0000-0000-000000000000"
#: Power limit in W and locked clock in MHz, as they are before and after.
FREE = (350.0, 0)
LOWERED = {"clock": (350.0, 1065), "power": (262.5, 0)}
QUICKLY = {"block_seconds": 0.001, "warmup_limit": 0}
#: A parent that lowers something and then waits for the end.
PARENT = """
import sys
from bench.clock_guard import ClockGuard
guard = ClockGuard(sys.argv[1])
with guard.lowered(sys.argv[2], 0.75):
    print(guard.pid, flush=True)
    sys.stdin.read()
"""
#: One that diagnoses a tiny point, lowering the clock of a GPU meanwhile.
DIAGNOSING = """
import sys
from bench.diagnosis import Diagnosis
from tests.test_clock_guard import QUICKLY, SMALL, lowers, point
lower = {"lower_clock": lowers("clock", sys.argv[1], lead_in_s=60.0)}
Diagnosis(point(SMALL | {"workload": "prefill"}), 1e-6, settings=QUICKLY, choose=lambda _: lower).run()
"""


def lowers(what, gpu=GPU, lead_in_s=0.0):
    return Change(Conditions(slowed=True, lead_in_s=lead_in_s), lowered=Lowered(gpu, what, 0.75))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    if reason := doubles.why_not():
        pytest.skip(reason)
    return doubles.build(tmp_path_factory.mktemp("nvml"))


class Double:
    """The GPUs that every process sees that is started from here on."""

    def __init__(self, monkeypatch, library, folder):
        self._set, self.state = monkeypatch.setenv, folder / "state"
        self._set("LD_LIBRARY_PATH", str(library))
        self._set("XDG_CACHE_HOME", str(folder / "cache"))
        self.faults(STATE=self.state)

    def faults(self, **faults):
        for name, value in faults.items():
            self._set(f"NVML_DOUBLE_{name}", str(value))

    def now(self, index=0):
        """Power limit in W and locked clock in MHz of a GPU."""
        if not self.state.exists():
            return FREE
        limit, clock = self.state.read_text().splitlines()[index].split()
        return int(limit) / 1e3, int(clock)

    def becomes(self, wanted, within_s=60.0):
        ends = time.monotonic() + within_s
        while self.now() != wanted and time.monotonic() < ends:
            time.sleep(0.02)
        return self.now() == wanted


@pytest.fixture
def double(monkeypatch, library, tmp_path):
    return Double(monkeypatch, library, tmp_path)


@pytest.fixture
def guard(double):
    made = ClockGuard(GPU)
    yield made
    made.close()


def kept():
    """Files that say what is still to be restored."""
    return [path.name for path in cache_folder().rglob("*.json")]


def gone(*processes):
    """Whether they end, or are left as zombies where nobody reaps orphans."""
    _, alive = psutil.wait_procs(processes, timeout=30)
    return not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]


def test_a_clock_is_locked_to_one_that_the_gpu_names_and_free_afterwards(double, guard):
    with guard.lowered("clock", 0.75) as share:
        assert double.now() == LOWERED["clock"]
        assert share == pytest.approx(1065 / 1410)
        assert kept() == [f"{GPU}.json"]
    assert double.now() == FREE
    assert kept() == []


def test_a_gpu_that_names_no_clocks_gets_just_that_clock(double):
    double.faults(UNSUPPORTED="clocks")
    guard = ClockGuard(GPU)
    with guard.lowered("clock", 0.8):
        assert double.now() == (350, 1128)
    guard.close()
    assert double.now() == FREE


def test_a_power_limit_is_lowered_and_then_as_it_was_set_and_not_the_boards_default(double, guard):
    for _ in range(2):
        with guard.lowered("power", 0.75) as share:
            assert double.now() == LOWERED["power"]
            assert share == 0.75
        assert double.now() == FREE


def test_a_power_limit_stays_within_what_the_board_allows(double):
    double.faults(LEAST_W=300)
    guard = ClockGuard(GPU)
    with guard.lowered("power", 0.75) as share:
        assert double.now() == (300, 0)
        assert share == pytest.approx(300 / 350)
    guard.close()


def test_at_the_boards_least_limit_nothing_is_lowered_and_the_reason_is_told(double):
    double.faults(LEAST_W=350)
    guard = ClockGuard(GPU)
    with pytest.raises(Unsupported, match="no lower power limit"), guard.lowered("power", 0.75):
        pytest.fail("it is the least already")
    guard.close()


@pytest.mark.parametrize("what", LOWERED)
def test_without_permission_nothing_is_changed_and_the_remedy_is_told(double, what):
    double.faults(PERMITTED=0)
    guard = ClockGuard(GPU)
    with pytest.raises(Unsupported, match=r"run it as root\. Nothing was changed\."), guard.lowered(what, 0.75):
        pytest.fail("it is not permitted")
    assert (double.now(), kept()) == (FREE, [])
    guard.close()


def test_the_gpu_that_is_meant_is_changed_and_no_other(double):
    double.faults(GPUS=2)
    guard = ClockGuard(SECOND)
    with guard.lowered("power", 0.75):
        assert (double.now(0), double.now(1)) == (FREE, LOWERED["power"])
    guard.close()


def test_a_gpu_that_nvml_does_not_know_is_refused(double):
    with pytest.raises(Unsupported, match="knows no"):
        ClockGuard(SECOND)


def test_two_diagnoses_do_not_change_the_same_gpu(guard):
    with pytest.raises(Unsupported, match="Another diagnosis"):
        ClockGuard(GPU)


def test_a_closed_pipe_restores(double, guard):
    with pytest.raises(ChildFailed), guard.lowered("power", 0.75):
        assert double.now() == LOWERED["power"]
        guard.close()
    assert (double.now(), kept()) == (FREE, [])


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_restores_and_fails_the_block(double, guard, ending):
    with pytest.raises(ChildFailed, match="has ended"), guard.lowered("clock", 0.75):
        os.kill(guard.pid, ending)
        assert double.becomes(FREE)
        assert gone(psutil.Process(guard.pid))
    assert kept() == []


@pytest.mark.parametrize("what", LOWERED)
def test_kill_9_of_the_parent_restores_and_leaves_no_process(double, what):
    command = [sys.executable, "-c", PARENT, GPU, what]
    with subprocess.Popen(command, cwd=doubles.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        guard = psutil.Process(int(parent.stdout.readline()))
        assert double.now() == LOWERED[what]
        parent.kill()
    assert double.becomes(FREE)
    assert gone(guard)
    assert kept() == []


def test_kill_9_of_a_diagnosis_leaves_no_changed_clock(double):
    command = [sys.executable, "-c", DIAGNOSING, GPU]
    with subprocess.Popen(command, cwd=doubles.ROOT) as parent:
        try:
            assert double.becomes(LOWERED["clock"], within_s=200)
            children = psutil.Process(parent.pid).children(recursive=True)
            assert any("bench.clock_guard" in each.cmdline() for each in children)
        finally:
            parent.kill()
    assert double.becomes(FREE)
    assert gone(*children)
    assert kept() == []


@pytest.mark.parametrize("what", LOWERED)
def test_what_a_killed_guard_left_is_restored_by_the_next_one_which_says_so(double, capfd, what):
    killed = ClockGuard(GPU)
    with pytest.raises(ChildFailed), killed.lowered(what, 0.75):
        os.kill(killed.pid, signal.SIGKILL)
        assert gone(psutil.Process(killed.pid))
    killed.close()
    assert (double.now(), kept()) == (LOWERED[what], [f"{GPU}.json"])
    ClockGuard(GPU).close()
    assert (double.now(), kept()) == (FREE, [])
    assert "an earlier diagnosis was killed" in capfd.readouterr().err


def test_what_cannot_be_restored_is_told_with_the_command_that_does_it(double, capfd):
    double.faults(PERMITTED=1)
    guard = ClockGuard(GPU)
    by_hand = f"nvidia-smi --id={GPU} --power-limit=350"
    with pytest.raises(Unsupported, match=by_hand), guard.lowered("power", 0.75):
        pass
    guard.close()
    assert by_hand in capfd.readouterr().err
    assert kept() == [f"{GPU}.json"]
    double.faults(PERMITTED=9)
    ClockGuard(GPU).close()
    assert double.now() == FREE


def diagnosed(*, gpu=GPU):
    trials = {f"lower_{what}": lowers(what, gpu) for what in LOWERED}
    asked = {"processes": 1, "budget_s": 0.001, "settings": QUICKLY, "choose": lambda _: trials}
    found = Diagnosis(point(SMALL | {"workload": "prefill"}), 1e-6, **asked).run()
    assert found.failed is None
    return {each.name: each for each in found.experiments}


def test_a_lower_limit_is_known_and_a_lower_clock_is_gauged(double):
    found = diagnosed()
    assert found["lower_power"].rates == {"power or thermal": pytest.approx(math.log(0.75))}
    assert "compute" in found["lower_clock"].rates
    assert (double.now(), kept()) == (FREE, [])


def test_an_experiment_that_is_not_permitted_has_the_reason_and_the_rest_goes_on(double):
    double.faults(PERMITTED=0)
    found = diagnosed()
    assert "run it as root" in found["lower_power"].reason
    assert "run it as root" in found["lower_clock"].reason
    assert found["nothing"].logs


@pytest.mark.parametrize(("device", "uuid"), [("cuda", GPU), ("cuda:1", SECOND), ("cuda:2", None), ("cpu", None)])
def test_a_child_tells_which_gpu_it_runs_on(double, device, uuid):
    double.faults(GPUS=2)
    child = Child()
    try:
        child.ask(None, 120)
        assert child.ask({"do": "gpu", "device": device}, 120) == {"gpu": uuid}
    finally:
        child.kill()


@pytest.mark.parametrize("what", LOWERED)
def test_it_takes_a_gpu_that_nvml_knows(what):
    name = f"lower_{what}"
    assert interventions.asked_only(name)
    assert "processor" in interventions.unavailable(name, setting())
    assert "root" in interventions.unavailable(name, setting(device="cuda:0 (a GPU)"))
    there = setting(device="cuda:0 (a GPU)", gpu=GPU)
    assert interventions.unavailable(name, there) is None
    change = interventions.change(name, there)
    assert change.lowered == Lowered(GPU, what, 0.75)
    assert change.under.slowed
    assert not change.plain.slowed
    assert change.under.lead_in_s == change.plain.lead_in_s > 0


def test_the_guard_is_light():
    code = "import sys, json, bench.clock_guard; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=doubles.ROOT, capture_output=True, check=True)
    assert not {"torch", "numpy", "sqlalchemy"} & set(json.loads(done.stdout))
