"""Experiments with real children on tiny points: what fails is told, and nothing is left behind however it ends."""

import json
import math
import os
import signal
import sys
from dataclasses import replace

import psutil
import pytest

from bench import diagnosis, host, interventions, points
from bench.ceilings import Ceiling, _cache, _gather
from bench.diagnosis import Diagnosis
from bench.executors.local import Child
from bench.opening import open_store
from bench.record import from_json, to_json
from tests.conftest import SMALL, SMALL_FLAGS
from tests.ending import end

QUICKLY = {"block_seconds": 0.001, "warmup_limit": 0}
needs_two_cores = pytest.mark.skipif(host.usable_cores() < 2, reason="an antagonist takes a second core")


def diagnose(processes=2, **more):
    """The tiny point, with two processes of a round each."""
    axes = points.point(SMALL | {"workload": "prefill", **more.pop("axes", {})})
    asked = {"processes": processes, "budget_s": 0.001, "settings": QUICKLY, "dispatch_s": 1e-6} | more
    made = Diagnosis(axes, **asked)
    return made, made.run()


def no_children():
    alive = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return not [child for child in alive if "bench." in " ".join(child.cmdline())]


def test_every_intervention_has_pairs_or_a_reason_and_a_quarter_change_nothing():
    _, found = diagnose()
    assert found.failed is None
    names = {each.name for each in found.experiments}
    assert names == {name for name in interventions.names() if not interventions.asked_only(name)}
    for each in found.experiments:
        assert bool(each.logs) == (each.reason is None)
        assert len(each.logs) == len(each.processes)
        assert all(math.isfinite(log) for log in each.logs)
    tried = [each for each in found.experiments if each.logs]
    assert 0.2 <= sum(each.null for each in tried) / len(tried) <= 0.5
    assert all(not each.rates for each in tried if each.null or each.name == "batch_scaling")
    assert no_children()


def test_the_rate_of_dispatching_falls_as_operators_are_added_and_no_other():
    _, found = diagnose(processes=1)
    (extra,) = [each for each in found.experiments if each.name == "extra_dispatches"]
    assert set(extra.rates) == {"compute", "memory bandwidth", "cache", "memory latency", "dispatch"}
    assert extra.rates["dispatch"] < 0
    assert all(len(logs) == len(extra.logs) for logs in extra.rate_logs.values())


def test_what_takes_another_process_is_left_out_where_there_is_no_memory_for_it(monkeypatch):
    monkeypatch.setattr(diagnosis.planning, "shared_memory_B", lambda _: 2**20)
    _, found = diagnose(processes=1)
    refused = {each.name for each in found.experiments if each.reason and "no memory for one more" in each.reason}
    assert {"batch_scaling", "kept_memory"} <= refused <= {"batch_scaling", "kept_memory", "fastest_products"}


def test_plain_blocks_and_reports_are_those_of_a_record():
    _, found = diagnose()
    assert len(found.reports) == len({block.process for block in found.blocks})
    assert len({block.round for block in found.blocks}) == len(found.blocks)


def test_a_point_that_cannot_be_run_fails_with_the_reason_and_leaves_nothing():
    _, found = diagnose(axes={"precision": "tf32"})
    assert found.failed.status == "unsupported"
    assert found.experiments == []
    assert no_children()


def killing(monkeypatch, wanted):
    """Kill the child that gets a request which `wanted` picks, once."""
    ask, killed = Child.ask, []

    def killed_first(self, request, limit_s):
        if request is not None and not killed and wanted(request):
            killed.append(self.pid)
            os.kill(self.pid, signal.SIGKILL)
        return ask(self, request, limit_s)

    monkeypatch.setattr(Child, "ask", killed_first)
    return killed


@pytest.mark.parametrize("which", ["the point's", "the gauges'"])
def test_a_killed_child_fails_one_experiment_with_the_reason_and_the_rest_goes_on(monkeypatch, which):
    extra = {"the point's": "block", "the gauges'": "gauge"}[which]
    killed = killing(monkeypatch, lambda r: r["do"] == extra and (r.get("under") or {}).get("extra_dispatches"))
    _, found = diagnose()
    assert killed
    failed = [each for each in found.experiments if each.reason and "SIGKILL" in each.reason]
    assert [each.name for each in failed] == ["extra_dispatches"]
    assert next(each for each in found.experiments if each.name == "batch_scaling").logs
    assert no_children()


def test_one_that_could_not_start_its_own_child_fails_alone(monkeypatch):
    killed = killing(monkeypatch, lambda r: r["do"] == "build" and r["axes"]["batch_size"] > 1)
    _, found = diagnose(axes={"batch_size": 1})
    assert killed
    assert [each.name for each in found.experiments if each.reason and "crashed" in each.reason] == ["batch_scaling"]


@needs_two_cores
def test_ctrl_c_leaves_no_child_and_no_antagonist():
    seen = set()

    def stop(_done, _total, _what):
        seen.update(child.pid for child in psutil.Process().children(recursive=True))
        if any("bench.antagonist" in " ".join(child.cmdline()) for child in psutil.Process().children()):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        diagnose(notify=stop)
    assert seen
    assert no_children()


def test_where_nothing_but_the_work_can_be_changed_it_still_says_something(monkeypatch):
    monkeypatch.setattr(diagnosis.environment, "our_cores", lambda: [0])
    monkeypatch.setattr(host, "usable_cores", lambda *_: 1)
    _, found = diagnose(axes={"threads": 1})
    tried = {each.name for each in found.experiments if each.logs}
    assert tried - {"fastest_products"} == {"nothing", "batch_scaling", "extra_dispatches", "kept_memory"}


def test_the_command_prints_what_was_tried_and_keeps_it(pinchpoint, ceilings, tmp_path):
    flags = ["--budget", 1, "--output-dir", tmp_path / "out", *SMALL_FLAGS]
    code, out, err = pinchpoint("diagnose", "-w", "prefill", *flags)
    assert code == 0
    assert err == ""
    assert "doubling the batch" in out
    assert "Not tried: input" in out
    assert "sum (1 where all was looked at)" in out
    assert max(len(line) for line in out.splitlines()[:-1]) <= 80
    with open_store(str(tmp_path / "out")) as store:
        (run,) = store.runs()
        (record,) = store.records(run.run)
    assert record.status == "ok"
    assert {each.name for each in record.experiments} >= {"nothing", "batch_scaling"}
    assert record.ceilings["dispatch_empty_s"].value == 1e-6
    assert from_json(to_json(record)).experiments == record.experiments


def test_a_wall_that_cannot_be_named_is_told_with_the_reason_and_the_experiments_stand(
    pinchpoint, ceilings, tmp_path, monkeypatch
):
    kept = _cache.read(_cache.path(host.describe(), "auto", host.usable_cores()), host.describe())
    slow = kept.ceilings["dispatch"] | {"matmul_fp32_FLOP_per_s": Ceiling(1.0, "FLOP/s", 1, "matmul, fp32")}
    monkeypatch.setattr(_gather, "obtain", lambda *_, **__: (replace(kept, ceilings={"dispatch": slow}), None))
    flags = ["-w", "prefill", "--budget", 1, "--output-dir", tmp_path / "out", *SMALL_FLAGS]
    code, out, _ = pinchpoint("diagnose", *flags)
    assert code == 0
    assert "Wall: not known. The point reaches" in " ".join(out.split())
    assert "time [95 % interval]" in out
    code, out, _ = pinchpoint("diagnose", *flags, "-o", "json")
    (found,) = json.loads(out)
    assert found["wall"] is None
    assert "--refresh" in found["wall_unknown"]


def test_json_holds_elasticities_and_experiments(pinchpoint, ceilings, tmp_path):
    flags = ["--budget", 1, "-o", "json", "--output-dir", tmp_path / "out", *SMALL_FLAGS]
    code, out, _ = pinchpoint("diagnose", "-w", "prefill", *flags)
    assert code == 0
    (found,) = json.loads(out)
    assert {"wall", "proof", "elasticities", "sum_of_elasticities", "notes", "experiments"} <= found.keys()


def test_where_nothing_could_be_tried_the_exit_code_is_3(pinchpoint, ceilings, tmp_path):
    flags = ["--precision", "tf32", "--output-dir", tmp_path / "out", *SMALL_FLAGS]
    code, out, _ = pinchpoint("diagnose", "-w", "prefill", *flags)
    assert code == 3
    assert "unsupported" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--try", "magic"], "no intervention 'magic'"), (["-b", "1-32"], "name 32 points"), (["-s", "vast"], "vast")],
)
def test_bad_flags_are_told_in_a_sentence(pinchpoint, flags, said):
    code, _, err = pinchpoint("diagnose", *flags)
    assert code == 2
    assert said in err


@needs_two_cores
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_the_command_ends_no_process_of_it_is_left(ceilings, tmp_path, ending):
    command = [sys.executable, "-P", "-m", "bench.cli", "diagnose", "-w", "prefill", "--budget=120"]
    end([*command, f"--output-dir={tmp_path / 'out'}", *SMALL_FLAGS], ending, ("bench.antagonist", "bench.nursery"))
