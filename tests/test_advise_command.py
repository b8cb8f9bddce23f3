"""`pinchpoint advise`: what it prints and keeps, what it refuses, and that it leaves nothing behind."""

import json
import shutil
import signal
import sys
from dataclasses import replace

import pytest

from bench import advising, diagnosis, host, points
from bench.executors.local import ChildFailed
from bench.opening import open_store
from bench.record import Metric, from_json, to_json
from tests.conftest import SMALL_FLAGS
from tests.ending import end

#: Whole runs of a command on a tiny point: what is measured is not of interest.
ASKED = ["-w", "prefill", "-q", *SMALL_FLAGS]


def kept(folder):
    with open_store(str(folder)) as store:
        return [record for run in store.runs() for record in store.records(run.run)]


@pytest.fixture
def advised(pinchpoint, ceilings, tmp_path, tmp_path_factory):
    """A folder with one point that was advised on, and what was printed: made once, and each test gets a copy."""
    once = tmp_path_factory.getbasetemp() / "advised"
    printed = once / "printed.txt"
    if not printed.exists():
        code, out, err = pinchpoint("advise", *ASKED, "--output-dir", once / "out")
        assert (code, err) == (0, "")
        printed.write_text(out, encoding="utf-8")
    shutil.copytree(once / "out", tmp_path / "out")
    return tmp_path / "out", printed.read_text(encoding="utf-8")


def test_it_prints_ranked_changes_with_their_costs_within_80_columns(advised):
    folder, out = advised
    assert "predicted gain" in out
    assert "proven gain" not in out
    assert "batch size 4" in out
    assert "unknown" in out
    assert "Not here: tf32" in out
    assert max(len(line) for line in out.splitlines()[:-1]) <= 80
    (record,) = kept(folder)
    assert record.status == "ok"
    assert record.observation is not None
    assert record.ceilings["dispatch_empty_s"].value == 1e-6
    assert from_json(to_json(record)).advice == record.advice != []
    assert all(each.proof is None for each in record.advice)


def test_a_record_with_advice_is_read_by_who_knows_none(advised):
    (record,) = kept(advised[0])
    raw = json.loads(to_json(record))
    assert raw["schema"] == 2
    del raw["advice"]
    assert from_json(json.dumps(raw)) == replace(record, advice=[])


def test_proof_stands_beside_the_prediction(pinchpoint, ceilings, tmp_path, monkeypatch):
    monkeypatch.setattr(diagnosis, "PROCESSES", 2)
    flags = ["--prove", "--top", 2, "--budget", 1, "--output-dir", tmp_path / "out"]
    code, out, _ = pinchpoint("advise", *ASKED, *flags, "-o", "json")
    assert code == 0
    (found,) = json.loads(out)
    assert {"wall", "advice", "axes", "iteration_s"} <= found.keys()
    proven = [each for each in found["advice"] if each["proven_gain"] is not None]
    assert proven == found["advice"][:2]
    assert all(each["predicted_low"] <= each["predicted_gain"] <= each["predicted_high"] for each in proven)
    (record,) = kept(tmp_path / "out")
    assert [each.proof is not None for each in record.advice[:3]] == [True, True, False]
    assert {each.name for each in record.experiments} == {"nothing"}
    assert pinchpoint("report", tmp_path / "out")[0] == 0
    assert "proven gain" in (tmp_path / "out" / "report.md").read_text()


def test_markdown_has_a_table_and_what_is_impossible(pinchpoint, ceilings, tmp_path):
    code, out, _ = pinchpoint("advise", *ASKED, "--output-dir", tmp_path / "out", "-o", "md")
    assert code == 0
    assert out.startswith("# What would help")
    assert "| change | predicted gain | memory | quality |" in out
    assert "- **tf32.**" in out


def rewrite(folder, change):
    """Change the one record of a store."""
    (record,) = kept(folder)
    with open_store(str(folder)) as store:
        store.put_record(change(record))


def test_a_record_of_a_store_is_advised_on_without_running_the_point(advised, pinchpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(diagnosis.Diagnosis, "run", lambda _: pytest.fail("the point was run"))
    flags = ["--from", advised[0], "--output-dir", tmp_path / "again"]
    code, out, _ = pinchpoint("advise", *ASKED, *flags)
    assert code == 0
    assert "batch size 4" in out
    assert len(kept(tmp_path / "again")) == 1


def test_a_record_of_another_host_is_refused_and_both_are_named(advised, pinchpoint, tmp_path):
    rewrite(advised[0], lambda r: replace(r, host=r.host | {"cpu": "Another CPU", "fingerprint": "feedbeef"}))
    code, _, err = pinchpoint("advise", *ASKED, "--from", advised[0], "--output-dir", tmp_path / "again")
    assert code == 2
    assert "Another CPU (feedbeef)" in err
    assert str(host.describe()["fingerprint"]) in err
    assert not (tmp_path / "again").exists()


def test_a_store_without_the_point_is_told_with_the_remedy(advised, pinchpoint, tmp_path):
    flags = ["-b", 2, "--from", advised[0], "--output-dir", tmp_path / "again"]
    code, _, err = pinchpoint("advise", *ASKED, *flags)
    assert code == 2
    assert "holds no record of this point" in err
    assert "Leave --from out" in err


def test_quality_that_a_run_in_the_folder_measured_is_shown(advised, pinchpoint):
    (record,) = kept(advised[0])
    changed = points.point(record.axes | {"precision": "bf16"})
    graded = record.metrics | {"delta_ln_perplexity": Metric(0.0123, "nat", -1, "loss")}
    with open_store(str(advised[0])) as store:
        store.put_record(replace(record, point=changed.id, axes=changed.axes, metrics=graded, advice=[]))
    code, out, _ = pinchpoint("advise", *ASKED, "--output-dir", advised[0])
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("bf16")]
    assert "+0.012 nat" in line


def test_a_lost_process_is_told_and_the_point_keeps_its_record(pinchpoint, ceilings, tmp_path, monkeypatch):
    def lost(*_):
        raise ChildFailed("crashed", "it was ended by SIGKILL")

    monkeypatch.setattr(advising.Adviser, "advise", lost)
    code, _, err = pinchpoint("advise", *ASKED, "--output-dir", tmp_path / "out")
    assert code == 3
    assert "no advice, since the process that times pieces was lost: crashed: it was ended by SIGKILL" in err
    assert [record.status for record in kept(tmp_path / "out")] == ["ok"]


def test_a_point_that_cannot_be_run_has_no_advice_and_the_exit_code_is_3(pinchpoint, ceilings, tmp_path):
    code, out, _ = pinchpoint("advise", *ASKED, "--precision", "tf32", "--output-dir", tmp_path / "out")
    assert code == 3
    assert "unsupported" in out


def test_on_one_core_threads_are_no_advice_and_the_rest_is(pinchpoint, ceilings, tmp_path, monkeypatch):
    monkeypatch.setattr(host, "usable_cores", lambda *_: 1)
    monkeypatch.setattr("bench.commands._experiments.ceilings", lambda *_, **__: {("auto", 1): {}})
    code, out, _ = pinchpoint("advise", *ASKED, "--threads", 1, "--output-dir", tmp_path / "out")
    assert code == 0
    assert "Not here: threads 2. One core only" in out
    assert "batch size 4" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["-b", "1-32"], "name 32 points"),
        (["-s", "vast"], "vast"),
        (["--top", "0"], "--top"),
        (["--budget", "none"], "--budget"),
        (["--from", "/nowhere/at/all"], "no store"),
        (["--corpus", "/nowhere/at/all"], "no corpus"),
        (["--output-dir", "/proc/advice"], "cannot be written"),
    ],
)
def test_bad_flags_are_told_in_a_sentence(pinchpoint, flags, said):
    code, _, err = pinchpoint("advise", *flags)
    assert code == 2
    assert said in err


def test_help_has_examples(pinchpoint):
    code, out, _ = pinchpoint("advise", "--help")
    assert code == 0
    assert "pinchpoint advise -w decode" in out


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_however_the_command_ends_no_process_of_it_is_left(ceilings, tmp_path, ending):
    command = [sys.executable, "-P", "-m", "bench.cli", "advise", "--prove", "--budget=120", "-w", "prefill"]
    end([*command, f"--output-dir={tmp_path / 'out'}", *SMALL_FLAGS], ending, ("bench.worker",))
