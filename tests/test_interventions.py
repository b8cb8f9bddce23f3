"""Interventions: what is available where, and that each really does what it says, counted and not timed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import psutil
import pytest
import torch

from bench import conditions, interventions, points, products_alone
from bench.antagonist import PIECE_B, Antagonist, buffer_B
from bench.ceilings import _products
from bench.executors.local import ChildFailed
from bench.interventions import Conditions, Product, Setting
from bench.interventions.fastest_products import FORMATS
from bench.observation import Observation, Operator
from bench.session import Session
from tests.conftest import SMALL

SETTINGS = {"block_seconds": 0.001, "warmup_limit": 0, "corpus": None, "cache": None}


LSTM = Operator(
    "aten::mkldnn_rnn_layer", "core", "product", "fp32", 2.0, 0.6, 2 * 5 * 2.0 * 16 * 64 * 32, 1e6, shape=(16, 64, 32)
)


def observed(*operators, seconds=1.0):
    return Observation(seconds, "cpu", 2, 2, operators, 0.0, 2 * seconds)


def setting(cores=(0, 1), threads=2, **changed):
    usual = {
        "device": "cpu",
        "axes": points.point({}).axes,
        "iteration_s": 1e-3,
        "dispatches": 1000,
        "dispatch_s": 1e-6,
        "observation": observed(LSTM),
    }
    return Setting(threads=threads, cores=cores, **usual | changed)


@pytest.mark.parametrize("name", interventions.names())
def test_an_intervention_says_what_it_changes_or_why_not(name):
    reason = interventions.unavailable(name, setting())
    if reason is not None:
        assert reason.endswith(".")
        return
    change = interventions.change(name, setting())
    assert change.null == (name == "nothing")
    assert change.null or change.elsewhere or change.under != change.plain or change.antagonist


def test_on_one_core_threads_and_antagonists_are_impossible_and_the_rest_is_not():
    refused = {name: interventions.unavailable(name, setting((0,), 1)) for name in interventions.names()}
    assert {name for name, reason in refused.items() if reason} == {
        "fewer_threads", "more_threads", "bandwidth_antagonist", "cache_antagonist", "input",
        "lower_clock", "lower_power",
    }  # fmt: skip
    assert "One core only" in refused["bandwidth_antagonist"]


def test_on_a_gpu_the_processors_interventions_are_impossible():
    for name in ("fewer_threads", "more_threads", "bandwidth_antagonist", "cache_antagonist", "kept_memory"):
        assert "GPU" in interventions.unavailable(name, setting(device="cuda:0 (a GPU)"))


def test_the_point_keeps_off_the_antagonists_core_with_and_without_it():
    change = interventions.change("bandwidth_antagonist", setting((2, 5, 7), 3))
    assert change.under == change.plain == Conditions(threads=2, cores=(2, 5))
    control = interventions.change("cache_antagonist", setting((2, 5, 7), 3))
    assert (control.under, control.antagonist) == (change.under, "cache")


@pytest.mark.parametrize(("iteration_s", "dispatches", "extra"), [(1e-3, 1000, 150), (1e-3, 20, 20), (1e-9, 20, 1)])
def test_extra_operators_take_15_per_cent_of_an_iteration_but_never_outnumber_its_own(iteration_s, dispatches, extra):
    change = interventions.change("extra_dispatches", setting(iteration_s=iteration_s, dispatches=dispatches))
    assert change.under.extra_dispatches == extra
    assert change.under.extra_share == extra / dispatches


def test_without_an_observation_no_product_is_known():
    assert "not observed" in interventions.unavailable("fastest_products", setting(observation=None))


@pytest.mark.parametrize("unknown", [{"dispatches": None}, {"dispatch_s": None}])
def test_without_counts_or_ceilings_no_operators_are_added(unknown):
    assert interventions.unavailable("extra_dispatches", setting(**unknown))


@pytest.fixture(scope="module")
def session():
    made = Session(points.point(SMALL | {"workload": "prefill", "threads": 1}).axes, SETTINGS | {"lean": True})
    made.build()
    return made


def test_extra_operators_are_really_called_and_gone_afterwards(session):
    own = session.dispatches()
    assert own > 0
    with session.under(Conditions(extra_dispatches=7)):
        assert session.dispatches() == own + 7
    assert session.dispatches() == own


def test_threads_and_cores_are_as_before_after_a_block_that_failed(session):
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError), session.under(Conditions(threads=threads + 1, cores=(min(cores),))):
        assert torch.get_num_threads() == threads + 1
        assert os.sched_getaffinity(0) == {min(cores)}
        raise ZeroDivisionError
    assert torch.get_num_threads() == threads
    assert os.sched_getaffinity(0) == cores


def test_products_are_those_that_take_long_as_often_as_an_iteration_makes_them():
    small = replace(LSTM, name="aten::mm", seconds=0.01)
    convolution = replace(LSTM, name="aten::convolution", seconds=0.2)
    seen = setting(observation=observed(LSTM, small, convolution))
    assert interventions.unavailable("fastest_products", seen) is None
    change = interventions.change("fastest_products", seen)
    assert change.under.products == (Product(16, 64, 16, "fp32", 2, 5), Product(80, 64, 16, "fp32", 2, 1))
    assert change.left_out == pytest.approx(0.4)
    assert not change.moves_rates


@pytest.mark.parametrize(
    ("name", "passes"), [("aten::mkldnn_rnn_layer", 5), ("aten::mkldnn_rnn_layer_backward", 10), ("aten::mm", 7)]
)
def test_products_are_as_much_work_as_their_operator(name, passes):
    work = 2 * passes * 2.0 * 16 * 64 * 32
    seen = setting(observation=observed(replace(LSTM, name=name, flops=work)))
    products = interventions.change("fastest_products", seen).under.products
    assert sum(2.0 * each.m * each.n * each.k * each.calls * each.in_a_row for each in products) == work


@pytest.mark.parametrize(
    "operator", [replace(LSTM, seconds=0.2), replace(LSTM, dtype="fp64"), replace(LSTM, kind="attention")]
)
def test_without_products_that_matter_no_other_routine_is_tried(operator):
    assert "change little" in interventions.unavailable("fastest_products", setting(observation=observed(operator)))


def test_products_alone_run_by_the_fastest_routine_in_place_of_the_model(session, monkeypatch):
    called = []

    def routines(m, n, k, dtype, device):
        return {
            "slow": lambda: (called.append(("slow", m)), time.sleep(0.002)),
            "fast": lambda: called.append(("fast", m)),
        }

    monkeypatch.setattr(_products, "routines", routines)
    own = session.dispatches()
    with session.under(Conditions(products=(Product(3, 1, 1, "fp32", 2, 2), Product(4, 1, 1, "fp32", 1, 1)))):
        called.clear()
        session.step()
    assert called == [("fast", 3), ("fast", 3), ("fast", 4), ("fast", 3), ("fast", 3)]
    assert session.dispatches() == own


@pytest.mark.parametrize("dtype", FORMATS)
def test_products_of_each_format_are_multiplied(dtype):
    once = products_alone.step((Product(3, 8, 16, dtype, 2, 3),), torch.device("cpu"))
    assert conditions.dispatches(once) == 6


FAULTS = """
import resource, sys
from bench import host
import torch
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    host.keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(2**26, dtype=torch.uint8)[::4096].fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print([faults() for _ in range(24)][-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it tells glibc, on Linux")
def test_a_process_that_keeps_memory_takes_no_fresh_pages():
    def last(word):
        done = subprocess.run([sys.executable, "-c", FAULTS, word], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert last("keep") < 100
    assert last("plain") > 10_000


def test_a_block_that_is_slowed_on_purpose_is_not_taken_for_a_disturbed_one(session, monkeypatch):
    watch = object()  # it can watch over nothing
    monkeypatch.setattr(session, "_gpu_watch", watch)
    with session.under(Conditions(slowed=True)):
        assert session.block("timed", 0, 0).samples_ns
    assert session._gpu_watch is watch


def test_the_work_runs_before_a_block_that_asks_for_a_lead_in(session, monkeypatch):
    runs = []
    monkeypatch.setattr(session, "step", lambda: runs.append(1))
    with session.under(Conditions()):
        assert not runs
    with session.under(Conditions(lead_in_s=1e-6)):
        assert runs


def test_conditions_survive_the_pipe():
    wanted = Conditions(1, (0, 3), extra_dispatches=5, extra_share=0.5, products=(Product(1, 2, 3, "fp32", 4, 5),))
    assert conditions.read(json.loads(json.dumps(asdict(wanted)))) == wanted
    assert conditions.read(None) == Conditions()


def core():
    return max(os.sched_getaffinity(0))


def cpu_s(antagonist):
    used = psutil.Process(antagonist.pid).cpu_times()
    return used.user + used.system


@pytest.mark.parametrize("kind", ["memory", "cache"])
def test_an_antagonist_works_only_while_it_is_wanted(kind):
    antagonist = Antagonist(kind, core())
    try:
        assert psutil.Process(antagonist.pid).cpu_affinity() == [core()]
        rested = antagonist.copied
        for _ in range(2):
            with antagonist.wanted():
                assert antagonist.copied == rested  # it rested until now
                busy_until = cpu_s(antagonist) + 0.05
                while cpu_s(antagonist) < busy_until:
                    pass
            assert antagonist.copied > rested
            rested = antagonist.copied
    finally:
        antagonist.close()
    assert not psutil.pid_exists(antagonist.pid)


def test_the_antagonist_leaves_the_caches_and_its_control_stays_in_the_first():
    assert buffer_B("cache") == 2 * PIECE_B <= 2**15
    assert buffer_B("memory") > 2**20


def test_an_antagonist_that_was_killed_fails_the_block():
    antagonist = Antagonist("cache", core())
    with pytest.raises(ChildFailed, match="has ended"), antagonist.wanted():
        os.kill(antagonist.pid, signal.SIGKILL)
        psutil.Process(antagonist.pid).wait(10)
    antagonist.close()


@pytest.mark.parametrize("working", [False, True])
def test_an_antagonist_dies_with_its_parent(working):
    code = (
        "import sys; from bench.antagonist import Antagonist; a = Antagonist('memory', int(sys.argv[1]));"
        f"w = a.wanted(); {'w.__enter__();' if working else ''} print(a.pid, flush=True); input()"
    )
    command = [sys.executable, "-c", code, str(core())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        antagonist = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    psutil.wait_procs([antagonist], timeout=10)
    assert not antagonist.is_running() or antagonist.status() == psutil.STATUS_ZOMBIE
