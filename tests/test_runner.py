"""Sweeps with real children: what fails is recorded, what was measured is kept, and only what lacks is measured."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import ClassVar

import psutil
import pytest

from bench import allotment, memory_parts, planning, points, runner, runs
from bench.errors import UserError
from bench.executors.local import Child, ChildFailed
from bench.inputs import Inputs
from bench.opening import open_store
from bench.planning import groups
from bench.progress import Progress
from bench.runner import Sweep


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "results"), create=True) as opened:
        yield opened


def measure(spec, store, run=None, **progress):
    run = run or runs.begin(spec, store, "")
    expected = len(spec.points) * int(spec.settings["rounds"]) * allotment.first_processes(spec.settings)
    shown = Progress(expected, **progress)
    Sweep(spec, store, run, shown).measure()
    return run, shown


def test_every_point_has_a_record_and_a_failing_one_does_not_stop_the_rest(small_spec, store):
    spec = small_spec({"precision": ["fp32", "tf32", "bf16"], "workload": "prefill"}, rounds=3)
    run, shown = measure(spec, store)
    found = {record.axes["precision"]: record for record in runs.records(store, run)}
    assert {name: record.status for name, record in found.items()} == {
        "fp32": "ok",
        "tf32": "unsupported",
        "bf16": "ok",
    }
    assert "tensor cores" in found["tf32"].reason
    assert shown.failures == 1
    assert shown.done == 9  # the failed point's rounds count as done, so that the bar reaches its end
    rounds = [block.round for block in found["fp32"].blocks if block.kind == "timed"]
    assert rounds == [0, 1, 2]
    assert found["fp32"].metrics["latency_s"].value > 0
    assert found["fp32"].costs["flops"] > 0
    assert found["fp32"].host["fingerprint"] == run.host["fingerprint"]


def test_work_that_an_architecture_cannot_do_is_recorded_untried_and_the_rest_is_measured(small_spec, store):
    axes = {"architecture": ["lstm", "classifier"], "workload": ["classify", "decode"], "embedding": "preset"}
    run, shown = measure(small_spec(axes | {"heads": "preset"}), store)
    found = {(r.axes["architecture"], r.axes["workload"]): r for r in runs.records(store, run)}
    assert found["lstm", "decode"].status == found["classifier", "classify"].status == "ok"
    for pair, said in ((("lstm", "classify"), "labels none"), (("classifier", "decode"), "continues none")):
        assert found[pair].status == "unsupported"
        assert said in found[pair].reason
        assert found[pair].costs == {}
        assert not store.children(run.run, found[pair].point)
    assert shown.failures == 2


def test_points_that_are_compared_alternate_within_each_round(small_spec, store):
    spec = small_spec({"precision": ["fp32", "bf16"], "workload": "prefill"}, rounds=4)
    run, _ = measure(spec, store)
    blocks = sorted(
        (block.started_s, record.point, block.round)
        for record in runs.records(store, run)
        for block in record.blocks
        if block.kind == "timed"
    )
    assert [round_ for _, _, round_ in blocks] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_record_tells_what_a_tracker_saw_in_the_first_process_of_the_point(small_spec, store):
    spec = small_spec({"workload": "train"}, repetitions=2, rounds=2)
    run, _ = measure(spec, store)
    (record,) = runs.records(store, run)
    seen = memory_parts.tracked(record.facts)
    assert seen is not None
    assert seen.at_peak["weights"] == record.costs["weights_B"]
    assert seen.most["gradients"] == record.costs["gradients_B"]
    first, second = store.children(run.run, record.point)
    assert memory_parts.tracked(first["facts"]) == seen
    assert memory_parts.tracked(second["facts"]) is None


def test_a_child_that_dies_under_the_tracker_has_measured_its_point(small_spec, store, monkeypatch):
    asked = Child.ask

    def killed_when_tracking(child, request, limit_s):
        if request == {"do": "track"}:
            os.kill(child.pid, signal.SIGKILL)
        return asked(child, request, limit_s)

    monkeypatch.setattr(Child, "ask", killed_when_tracking)
    run, shown = measure(small_spec({"workload": "prefill"}), store)
    (record,) = runs.records(store, run)
    assert (record.status, shown.failures) == ("ok", 0)
    assert "SIGKILL" in record.facts[memory_parts.UNTRACKED]


def test_each_repetition_is_a_fresh_process(small_spec, store):
    spec = small_spec({"workload": "prefill"}, repetitions=2, rounds=2)
    run, _ = measure(spec, store)
    (record,) = runs.records(store, run)
    timed = [block for block in record.blocks if block.kind == "timed"]
    assert [(block.process, block.round) for block in timed] == [(0, 0), (0, 1), (1, 2), (1, 3)]


def test_a_point_gets_processes_until_its_ratio_is_precise_and_the_record_says_so(small_spec, store):
    spec = small_spec(
        {"workload": "prefill", "precision": ["fp32", "bf16"]}, repetitions=32, precision_goal=1, block_seconds=0.01
    )
    run, shown = measure(spec, store)
    found = {record.axes["precision"]: record for record in runs.records(store, run)}
    variant = found["bf16"]
    processes = {name: len({block.process for block in record.blocks}) for name, record in found.items()}
    assert variant.facts["precision_of"] == "ratio"
    assert variant.facts["started_by"] == "fork"
    assert found["fp32"].facts["precision_of"] == "time"
    # On a machine that is busy enough, not even a factor of e is known after all of them.
    stopped = variant.facts["stopped_for"]
    assert stopped in ("precise", "cap")
    assert processes["fp32"] == processes["bf16"]
    assert processes["bf16"] in ((8, 16, 32) if stopped == "precise" else (32,))
    assert stopped == "cap" or variant.facts["half_width"] < 1
    assert ("imprecise" in [warning.code for warning in variant.warnings]) == (stopped == "cap")
    assert shown.done == shown.total


def test_a_point_that_stays_imprecise_ends_with_its_last_process_and_is_warned_of(small_spec, store):
    spec = small_spec({"workload": "prefill", "precision": ["fp32", "bf16"]}, repetitions=9, precision_goal=1e-9)
    run, shown = measure(spec, store)
    found = {record.axes["precision"]: record for record in runs.records(store, run)}
    assert found["bf16"].facts["stopped_for"] == "cap"
    assert "imprecise" in [warning.code for warning in found["bf16"].warnings]
    assert {len({block.process for block in record.blocks}) for record in found.values()} == {9}
    assert shown.done == shown.total == 2 * 9 * 2


def test_a_budget_ends_a_point_after_two_processes(small_spec, store):
    run, _ = measure(small_spec({"workload": "prefill"}, repetitions=8, point_budget=0), store)
    (record,) = runs.records(store, run)
    assert record.facts["stopped_for"] == "budget"
    assert {block.process for block in record.blocks} == {0, 1}
    assert record.metrics["latency_s"].low is None
    (warning,) = [warning for warning in record.warnings if warning.code == "imprecise"]
    assert "2 processes are too few" in warning.message


def test_a_budget_for_the_sweep_leaves_no_point_without_a_record(small_spec, store):
    spec = small_spec({"workload": "prefill", "batch_size": [1, 2, 3]}, repetitions=100, sweep_budget=0.001)
    run, _ = measure(spec, store)
    found = runs.records(store, run)
    assert [record.status for record in found] == ["ok"] * 3
    assert {record.facts["stopped_for"] for record in found} == {"budget"}


def test_a_sweep_killed_before_its_record_was_written_measures_nothing_again(small_spec, store, monkeypatch):
    spec = small_spec({"workload": "prefill"}, repetitions=3)
    run = runs.begin(spec, store, "")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Sweep, "_conclude", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        measure(spec, store, run)
    (point,) = spec.points
    before = store.blocks(run.run, point.id)
    measure(spec, store, run)
    (record,) = runs.records(store, run)
    assert record.status == "ok"
    assert record.blocks == before


def test_only_the_first_processes_are_probed(small_spec, store):
    run, _ = measure(small_spec({"workload": "prefill"}, repetitions=4), store)
    (record,) = runs.records(store, run)
    assert {block.process for block in record.blocks if "max_ram_B" in block.readings} == {0, 1}
    assert {block.process for block in record.blocks if block.kind == "observed"} <= {0, 1}
    assert {block.process for block in record.blocks if block.kind == "timed"} == {0, 1, 2, 3}


def workers():
    """The forked children of ours that live."""
    nurseries = [c for c in psutil.Process().children() if "bench.nursery" in " ".join(c.cmdline())]
    return [worker for nursery in nurseries for worker in nursery.children()]


def kill_one_child_when(store, count):
    """Kill a child of ours once the store holds `count` blocks of any point."""

    def act(progress):
        if progress.done == count and not killed:
            child = workers()[0]
            killed.append(child.pid)
            child.kill()

    killed = []
    return act


def test_a_killed_child_becomes_a_crashed_record_that_keeps_its_blocks(small_spec, store):
    spec = small_spec({"workload": "prefill", "batch_size": [1, 2]}, rounds=4)
    run, _ = measure(spec, store, changed=kill_one_child_when(store, 4))
    found = runs.records(store, run)
    crashed = [record for record in found if record.status == "crashed"]
    assert len(crashed) == 1
    assert "SIGKILL" in crashed[0].reason
    assert [record.status for record in found].count("ok") == 1
    assert sum(block.kind == "timed" for block in crashed[0].blocks) == 2


def test_a_point_past_its_time_limit_becomes_timeout(small_spec, store):
    spec = small_spec({"size": "base", "vocabulary": "preset", "embedding": "preset", "hidden": "preset"}, time_limit=3)
    run, _ = measure(spec, store)
    (record,) = runs.records(store, run)
    assert record.status == "timeout"


def test_ctrl_c_keeps_what_was_measured_and_resume_measures_only_the_rest(small_spec, store):
    spec = small_spec({"workload": "prefill", "batch_size": [1, 2]}, rounds=5)
    run = runs.begin(spec, store, "")

    def stop(progress):
        if progress.done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(spec, store, run, changed=stop)
    before = {record.point: record for record in runs.records(store, run)}
    assert {record.status for record in before.values()} == {"interrupted"}
    assert not workers()

    measure(spec, store, runs.resume(spec, store, ""))
    after = {record.point: record for record in runs.records(store, run)}
    assert {record.status for record in after.values()} == {"ok"}
    for point, record in after.items():
        timed = [block for block in record.blocks if block.kind == "timed"]
        assert sorted(block.round for block in timed) == list(range(5))
        assert all(block in record.blocks for block in before[point].blocks)


def test_a_sweep_killed_with_sigkill_loses_no_block_and_resume_repeats_none(tmp_path, small_flags):
    command = [sys.executable, "-P", "-m", "bench.cli", "sweep", "ci", f"--output-dir={tmp_path}", "-o", "jsonl"]
    command += [flag for flag in small_flags if not flag.startswith("--rounds")]
    command += ["--rounds=60", "--block-seconds=0.01", "--batch-size=1"]
    sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    children = []
    try:
        while len(blocks_of(tmp_path)) < 30:
            assert sweep.poll() is None
            time.sleep(0.05)
        children = psutil.Process(sweep.pid).children(recursive=True)
    finally:
        sweep.kill()
        sweep.wait()
    psutil.wait_procs(children, timeout=10)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    before = blocks_of(tmp_path)
    assert 30 <= len(before) < 180

    done = subprocess.run([*command, "--resume"], capture_output=True, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["status"] for record in records} == {"ok"}
    after = blocks_of(tmp_path)
    assert all(after[key] == body for key, body in before.items())
    for record in records:
        assert sorted(b["round"] for b in record["blocks"] if b["kind"] == "timed") == list(range(60))


def blocks_of(folder):
    """Every timed block on disk by point and round, as its raw text."""
    try:
        with open_store(str(folder)) as opened:
            return {
                (point, block.round): repr(block)
                for run in opened.runs()
                for point in [points.point(axes).id for axes in run.points]
                for block in opened.blocks(run.run, point)
                if block.kind == "timed"
            }
    except UserError:
        return {}  # it has not been made yet


@pytest.mark.parametrize(
    ("axes", "settings", "corpus", "said"),
    [
        ({"batch_size": [1, 2]}, {}, "", "other points"),
        ({}, {"rounds": 9}, "", "rounds = 2, not 9"),
        ({}, {}, "/somewhere/else.txt", "the corpus that comes with Python, not /somewhere/else.txt"),
    ],
)
def test_resume_of_a_changed_sweep_is_refused_with_what_changed(small_spec, store, axes, settings, corpus, said):
    runs.begin(small_spec(), store, "")
    with pytest.raises(UserError, match=said):
        runs.resume(small_spec(axes, **settings), store, corpus)


def test_resume_with_other_labels_is_refused(small_spec, store):
    runs.begin(small_spec(), store, "", Inputs("/before.tsv", classes=2))
    with pytest.raises(UserError, match=r"labels = /before\.tsv, not /after\.tsv"):
        runs.resume(small_spec(), store, "", Inputs("/after.tsv", classes=2))
    assert runs.resume(small_spec(), store, "", Inputs("/before.tsv", classes=2)).inputs.labels == "/before.tsv"


def test_resume_goes_on_with_the_run_that_was_measured_and_not_with_an_empty_one_after_it(small_spec, store):
    spec = small_spec({"workload": "prefill"})
    run, _ = measure(spec, store)
    runs.begin(spec, store, "")
    assert runs.resume(spec, store, "") == run
    other = small_spec({"workload": "decode"})
    runs.begin(other, store, "")
    assert runs.resume(spec, store, "") == run


def test_resume_over_a_changed_text_is_refused(small_spec, store, tmp_path):
    corpus = tmp_path / "text.txt"
    corpus.write_text("Some words of a text that is long enough for all. " * 5)
    spec = small_spec({"workload": "prefill"})
    run = runs.begin(spec, store, str(corpus))

    def stop(progress):
        if progress.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(spec, store, run, changed=stop)
    corpus.write_text("Quite other words, of a text that is long enough too. " * 5)
    with pytest.raises(UserError, match="text was changed"):
        measure(spec, store, runs.resume(spec, store, str(corpus)))


def test_what_a_probe_warns_of_is_in_the_record(small_spec, store, tmp_path, monkeypatch):
    """The probe is another package's, found by its entry point in the real child."""
    (tmp_path / "theirs.py").write_text(
        "from bench.probes import Probe\n"
        "from bench.record import MetricInfo, Warn\n"
        "class Theirs(Probe):\n"
        "    window_s = 0.01\n"
        "    provides = {'odd_W': MetricInfo('W', 0, 'odd power')}\n"
        "    def unavailable(self): return None\n"
        "    def __enter__(self): return self\n"
        "    def __exit__(self, *_): pass\n"
        "    def read(self): return {}\n"
        "    def warnings(self): return [Warn('meter_lost', 'The meter fell silent.', 'Wake it.')]\n"
        "def probe(device): return Theirs()\n"
    )
    info = tmp_path / "theirs-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pinchpoint.probes]\ntheirs = theirs\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    run, _ = measure(small_spec({"workload": "prefill"}), store)
    (record,) = runs.records(store, run)
    assert "meter_lost" in [warning.code for warning in record.warnings]
    assert record.metrics["odd_W"].value is None
    assert record.metrics["odd_W"].reason == "The meter fell silent."


class CrowdedChild(Child):
    """A real child, but one that runs out of memory while it has company."""

    alive: ClassVar[set["CrowdedChild"]] = set()

    def __init__(self, nursery):
        super().__init__(nursery)
        self.alive.add(self)

    def ask(self, request, limit_s):
        if request and request["do"] == "build" and request["axes"]["batch_size"] == 2 and len(self.alive) > 1:
            raise ChildFailed("oom", "no memory left")
        return super().ask(request, limit_s)

    def kill(self):
        self.alive.discard(self)
        super().kill()


def test_a_point_that_ran_out_of_memory_in_company_is_tried_again_alone(small_spec, store, monkeypatch):
    monkeypatch.setattr(runner, "Child", CrowdedChild)
    run, shown = measure(small_spec({"workload": "prefill", "batch_size": [1, 2]}), store)
    assert [record.status for record in runs.records(store, run)] == ["ok", "ok"]
    assert shown.failures == 0


def test_resume_on_another_machine_is_refused_and_names_the_difference(small_spec, store, monkeypatch):
    runs.begin(small_spec(), store, "")
    there = runs.host.describe() | {"cpu": "Another CPU", "fingerprint": "0"}
    monkeypatch.setattr(runs.host, "describe", lambda: there)
    with pytest.raises(UserError, match=r"now Another CPU"):
        runs.resume(small_spec(), store, "")


def test_resume_without_a_run_is_refused(small_spec, store):
    with pytest.raises(UserError, match="no run in .* to resume"):
        runs.resume(small_spec(), store, "")


def test_a_group_keeps_families_whole_and_stays_within_its_size_and_memory(small_spec):
    spec = small_spec({"batch_size": "1-5", "prune": [0, 0.5, 0.9]})
    made = groups(spec.points, most=8, memory=1 << 50)
    assert sorted(p.id for group in made for p in group) == sorted(p.id for p in spec.points)
    assert all(len(group) <= 8 for group in made)
    for group in made:
        for family in {point.family for point in group}:
            assert sum(point.family == family for point in group) == 3
    tight = groups(spec.points, most=8, memory=int(2.5 * planning.memory_B(spec.points[-1])))
    assert {len(group) for group in tight} <= {1, 2}


def test_a_family_larger_than_a_group_is_split_with_its_reference_first(small_spec):
    spec = small_spec({"prune": [0.9, 0.5, 0.1, 0], "precision": ["bf16", "fp32"]})
    made = groups(spec.points, most=3, memory=1 << 50)
    assert [len(group) for group in made] == [3, 3, 2]
    assert made[0][0].is_reference


def test_sigterm_ends_a_sweep_as_cleanly_as_ctrl_c(tmp_path, small_flags):
    command = [sys.executable, "-P", "-m", "bench.cli", "run", f"--output-dir={tmp_path}", *small_flags]
    command += ["--rounds=10000", "-o", "jsonl"]
    sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    killer = threading.Thread(target=_terminate_when_measuring, args=(sweep, tmp_path))
    killer.start()
    out, err = sweep.communicate(timeout=120)
    killer.join()
    assert sweep.returncode == 130
    assert json.loads(out)["status"] == "interrupted"
    assert b"--resume" in err


def _terminate_when_measuring(sweep, folder):
    while sweep.poll() is None and len(blocks_of(folder)) < 3:
        time.sleep(0.05)
    os.kill(sweep.pid, signal.SIGTERM)
