"""The command line as a user meets it: exit codes, what goes to stdout, and one sentence for each mistake."""

import csv
import errno
import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from bench import cli, points
from bench.opening import open_store
from tests import factories


@pytest.fixture
def results(tmp_path):
    """A store with made-up records of one run."""
    from bench.store import Run

    folder = tmp_path / "results"
    made = [factories.record(batch_size=n) for n in (1, 4)]
    made.append(factories.record("oom", "the kernel killed it", batch_size=16))
    with open_store(str(folder), create=True) as store:
        run = Run(made[0].run, "quick", made[0].started_at, tuple(r.axes for r in made), {}, "", made[0].host)
        store.add_run(run)
        for record in made:
            for block in record.blocks:
                store.add_block(record.run, record.point, block)
            store.put_record(record)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["sweep"],
        ["run"],
        ["train"],
        ["generate"],
        ["classify"],
        ["report"],
        ["export"],
        ["doctor"],
        ["ceilings"],
        ["largest-batch"],
        ["workflow"],
        ["history"],
        ["baseline"],
    ],
)
def test_help_has_examples_and_fits_80_columns(pinchpoint, command):
    code, out, _ = pinchpoint(*command, "--help")
    assert code == 0
    assert "Example" in out
    assert max(len(line) for line in out.splitlines()) <= 80


MISTAKES = [
    (["swep"], "No such command 'swep'"),
    (["sweep", "quikc"], "Did you mean 'quick'"),
    (["sweep", "-b", "x"], "batch_size = 'x' is no whole number"),
    (["sweep", "--precision", "fp23"], "Did you mean 'fp32'"),
    (["sweep", "--prune", "1"], "out of range"),
    (["sweep", "--rounds", "0"], "rounds = '0' is out of range"),
    (["sweep", "--batchsize", "1"], "No such option"),
    (["sweep", "--device", "cuda:7"], "There is no device 'cuda:7'"),
    (["sweep", "--device", "tpu"], "is not of the form"),
    (["sweep", "--corpus", "/no/such/text"], "There is no corpus at /no/such/text"),
    (["sweep", "--output-dir", "/proc/here"], "cannot be written"),
    (["sweep", "--output-dir", "/dev/null/here"], "cannot be written"),
    (["run", "-b", "1,2"], "`run` measures one point"),
    (["report", "/no/such/store"], "There is no store at /no/such/store"),
    (["report", "/dev/null"], "store"),
    (["export", "nosuch://user:secret@host/db"], "cannot be opened"),
    (["generate", "/no/such/model", "--prompt", "x"], "There is no checkpoint"),
    (["train", "--precision", "tf32"], "tensor cores"),
    (["run", "-a", "hf"], "is a model that you bring"),
    (["run", "-a", "hf", "--model", "/dev"], "'/dev' is no folder with a config.json"),
    (["run", "--model", "gpt2"], "No point of this sweep runs a model of transformers"),
    (["run", "--labels", "x.tsv"], "No point of this sweep labels texts"),
    (["run", "-a", "classifier", "--labels", "/no/such.tsv"], "There is no file '/no/such.tsv'"),
    (["train", "-a", "hf"], "comes trained"),
    (["train", "-a", "classifier", "--corpus", "x.txt"], "is trained on labelled texts"),
    (["train", "--labels", "x.tsv"], "'lstm' labels no texts"),
    (["train", "--unit", "characters", "--stems"], "Characters have no stop words and no stems"),
    (["train", "--language", "latin"], "'latin' is not one of"),
    (["classify", "/no/such/model", "--text", "x"], "There is no checkpoint"),
    (["train", "--learning-rate", "0"], "learning_rate = '0' is out of range"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES, ids=[" ".join(a) for a, _ in MISTAKES])
def test_a_mistake_is_one_clear_message_with_exit_code_2(pinchpoint, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    code, out, err = pinchpoint(*arguments)
    assert code == 2
    assert out == ""
    assert said in err
    assert "Traceback" not in err
    assert "secret" not in err
    assert len(err.splitlines()) <= 5


@pytest.mark.parametrize("content", [b"", b"\x00\x01binary", "caf\xe9".encode("latin-1")])
def test_a_corpus_that_is_no_text_ends_the_sweep_with_one_message(pinchpoint, tmp_path, small_flags, content):
    corpus = tmp_path / "text.txt"
    corpus.write_bytes(content)
    code, _, err = pinchpoint("run", "--corpus", corpus, "--output-dir", tmp_path / "out", *small_flags)
    assert code == 2
    assert "Traceback" not in err
    assert "text.txt" in err


def test_a_point_that_is_longer_than_the_text_is_unsupported_and_the_others_are_measured(
    pinchpoint, tmp_path, small_flags
):
    corpus = tmp_path / "text.txt"
    corpus.write_text("A short text of a few words only. " * 4)
    flags = [flag for flag in small_flags if not flag.startswith("--sequence-length")]
    flags += ["--sequence-length=4,500", "-w", "prefill", "-b", "1", "-o", "jsonl"]
    code, out, _ = pinchpoint("sweep", "ci", "--corpus", corpus, "--output-dir", tmp_path / "out", *flags)
    found = {record["axes"]["sequence_length"]: record for record in map(json.loads, out.splitlines())}
    assert code == 0
    assert found[4]["status"] == "ok"
    assert found[500]["status"] == "unsupported"
    assert "tokens" in found[500]["reason"]


def test_a_dry_run_measures_nothing_and_says_what_is_exact_and_what_is_a_guess(pinchpoint, tmp_path):
    code, out, _ = pinchpoint("sweep", "--dry-run", "--output-dir", tmp_path / "out")
    assert code == 0
    assert "30 points" in out
    assert "a guess" in out
    assert not (tmp_path / "out").exists()


def test_a_sweep_prints_a_table_and_the_path_of_its_report(pinchpoint, tmp_path, small_flags):
    out_dir = tmp_path / "out"
    code, out, err = pinchpoint("sweep", "ci", "-b", "1,2", "-w", "prefill", "--output-dir", out_dir, *small_flags)
    assert code == 0
    assert f"Report: {out_dir / 'report.html'}" in out
    assert max(len(line) for line in out.splitlines() if "Report" not in line) <= 80
    assert "\x1b[" not in out + err
    for name in ("report.html", "report.md", "report.csv"):
        assert (out_dir / name).read_text(encoding="utf-8")


def test_a_sweep_in_which_nothing_was_measured_exits_with_3(pinchpoint, tmp_path, small_flags):
    code, out, _ = pinchpoint(
        "run", "--precision", "tf32", "-o", "jsonl", "--output-dir", tmp_path / "out", *small_flags
    )
    assert code == 3
    assert json.loads(out)["status"] == "unsupported"


@pytest.mark.parametrize("name", ["results.v1", "what?x", "50% off"])
def test_a_folder_may_have_any_name(pinchpoint, tmp_path, small_flags, name):
    code, out, _ = pinchpoint("run", "-o", "jsonl", "--output-dir", tmp_path / name, *small_flags)
    assert code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert pinchpoint("export", tmp_path / name)[1] == out


def test_a_sweep_that_is_stopped_at_once_says_so_and_exits_with_130(pinchpoint, tmp_path, small_flags, monkeypatch):
    from bench import runner

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.Sweep, "measure", stop)
    code, out, err = pinchpoint("run", "--output-dir", tmp_path / "out", *small_flags)
    assert code == 130
    assert out == ""
    assert "before anything was measured" in err


def test_a_run_of_which_nothing_was_measured_hides_no_earlier_one(pinchpoint, results):
    from bench.store import Run

    with open_store(str(results)) as store:
        (run,) = store.runs()
        store.add_run(Run("empty", "quick", "2099-01-01T00:00:00+00:00", run.points, {}, "", run.host))
    code, out, _ = pinchpoint("export", results)
    assert code == 0
    assert len(out.splitlines()) == 3


def test_a_second_sweep_into_the_same_folder_is_refused(pinchpoint, tmp_path, small_flags):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"):
        code, _, err = pinchpoint("run", "--output-dir", tmp_path / "out", *small_flags)
    assert code == 2
    assert "Another measurement" in err


def test_export_writes_one_complete_record_a_line_without_host_names(pinchpoint, results):
    code, out, _ = pinchpoint("export", results)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["status"] for record in records] == ["ok", "ok", "oom"]
    assert records[0]["blocks"]
    assert not any("host_name" in record["host"] for record in records)


@pytest.mark.parametrize("form", ["md", "csv", "json", "jsonl", "html", "sql", "table"])
def test_a_report_can_be_printed_in_every_form(pinchpoint, results, form):
    code, out, _ = pinchpoint("report", results, "-o", form)
    assert code == 0
    if form == "csv":
        assert [row["status"] for row in csv.DictReader(io.StringIO(out))] == ["ok", "ok", "oom"]
    if form == "sql":
        with sqlite3.connect(":memory:") as connection:
            connection.executescript(out)
            assert connection.execute("SELECT count(*) FROM records").fetchone() == (3,)
        connection.close()
    if form == "json":
        assert len(json.loads(out)) == 3
    if form == "html":
        assert out.startswith("<!doctype html>") or out.startswith("<!DOCTYPE html>")


def test_a_report_takes_several_stores_and_writes_where_it_is_told(pinchpoint, results, tmp_path):
    code, out, _ = pinchpoint("report", results, results / "pinchpoint.sqlite", "--output-dir", tmp_path / "both")
    assert code == 0
    assert f"{tmp_path / 'both' / 'report.html'}" in out
    assert (tmp_path / "both" / "report.html").exists()


def test_a_run_that_is_not_there_is_named_with_those_that_are(pinchpoint, results):
    code, _, err = pinchpoint("report", results, "--run", "nope")
    assert code == 2
    assert factories.record().run in err


def test_train_prints_and_plots_the_loss_and_generate_continues_a_prompt(pinchpoint, tmp_path):
    out_dir = tmp_path / "model"
    corpus = tmp_path / "text.txt"
    corpus.write_text("The cat sat on the mat. The dog ran after the cat. " * 40, encoding="utf-8")
    small = ["--hidden=16", "--embedding=16", "--vocabulary=32", "-p", "4", "-n", "4"]
    code, out, _ = pinchpoint("train", "--epochs", 2, "--corpus", corpus, "--output-dir", out_dir, *small)
    assert code == 0
    losses = [float(line.split()[1]) for line in out.splitlines() if line.split()[0].isdigit()]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    assert (out_dir / "loss.svg").read_text(encoding="utf-8").lstrip().startswith("<")
    code, out, _ = pinchpoint("generate", out_dir / "model.safetensors", "--prompt", "The cat", "-n", 5)
    assert code == 0
    assert out.startswith("the cat")
    code, again, _ = pinchpoint("generate", out_dir / "model.safetensors", "--prompt", "The cat", "-n", 5)
    assert again == out


def test_a_full_disk_is_a_clear_error_and_leaves_an_intact_store(tmp_path, small_flags):
    from tests.test_store import mounted

    with mounted(tmp_path / "disk", "-o", "size=2m") as disk:
        command = [sys.executable, "-P", "-m", "bench.cli", "run", f"--output-dir={disk}", *small_flags]
        (disk / "ballast").write_bytes(bytes(1_600_000))
        command += ["--workload=prefill", "--rounds=10000", "--block-seconds=0.05"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "Free some space" in done.stderr
        assert "Traceback" not in done.stderr
        with open_store(str(disk)) as store:
            (run,) = store.runs()
            assert len(store.blocks(run.run, points.point(run.points[0]).id)) > 10
        with closing(sqlite3.connect(disk / "pinchpoint.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_unexpected_error_never_leaves_with_the_exit_code_of_a_regression(pinchpoint, monkeypatch):
    monkeypatch.setattr(cli.cli, "main", lambda **_: 1 / 0)
    code, _, err = pinchpoint("doctor")
    assert code == 2
    assert "unexpected error" in err


def test_who_stops_reading_is_no_regression(pinchpoint, monkeypatch):
    """Rich leaves with 1 when its pipe is closed, as by `| head -1`."""

    def left(**_):
        raise SystemExit(1)

    monkeypatch.setattr(cli.cli, "main", left)
    assert pinchpoint("doctor")[0] == 2


def test_a_full_disk_behind_stdout_is_one_clear_message(pinchpoint, monkeypatch):
    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cli.cli, "main", full)
    code, _, err = pinchpoint("doctor")
    assert code == 2
    assert "no space is left" in err
    assert "Traceback" not in err
