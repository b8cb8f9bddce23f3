import csv
import io
import json
import subprocess
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import references
from bench.errors import UserError
from bench.opening import open_store
from bench.record import to_json
from bench.store import Baseline, Run
from tests import factories
from tests.sides import record

STEADY = [0.010 * (1 + 0.001 * n) for n in range(8)]
COMMITS = ("aaaa11112222", "bbbb11112222", "cccc11112222-dirty")


def keep(folder, runs, name="ci"):
    """A store with runs, each a list of records of one run, with commits in turn."""
    with open_store(str(folder), create=True) as store:
        for place, (run, records) in enumerate(runs.items()):
            host = factories.HOST | {"git_commit": COMMITS[place % len(COMMITS)]}
            when = f"2026-01-{place + 1:02}T00:00:00+00:00"
            store.add_run(Run(run, name, when, tuple(r.axes for r in records), {}, "", host))
            for each in records:
                for block in each.blocks:
                    store.add_block(run, each.point, block)
                store.put_record(replace(each, run=run, host=host, started_at=when))
    return str(folder)


@pytest.fixture
def store(tmp_path):
    """Three runs of two points; the last is 30 % slower."""
    runs = {
        run: [record([t * factor for t in STEADY], run, workload=workload) for workload in ("train", "decode")]
        for run, factor in (("20260101-a", 1.0), ("20260102-b", 1.001), ("20260103-c", 1.3))
    }
    where = keep(tmp_path / "results", runs)
    keep_beside = {"20260104-d": [record([9.0] * 8, "20260104-d")]}
    keep(tmp_path / "results", keep_beside, name="diagnose")
    with open_store(where) as opened:
        opened.set_baseline(Baseline("v1", "20260101-a", "2026-01-05T00:00:00+00:00"))
    return where


SPREAD = ("--run-spread", "0.1%")


def test_a_slow_down_is_a_regression_and_no_change_is_none(pinchpoint, store):
    code, out, _ = pinchpoint("compare", "v1", "latest", "--store", store, *SPREAD)
    assert code == 1
    assert "✗ slower" in out
    assert "Regression: all 2 benchmarks got worse." in out
    code, out, _ = pinchpoint("compare", "20260101", "20260102-b", "--store", store, *SPREAD)
    assert (code, "No regression" in out) == (0, True)


def test_an_open_answer_is_neither_and_may_be_let_pass(pinchpoint, store):
    code, out, _ = pinchpoint("compare", "v1", "20260102-b", "--store", store)
    assert code == 3
    assert "an assumed 14 %" in " ".join(out.split())
    assert "pinchpoint ab" in out
    assert pinchpoint("compare", "v1", "20260102-b", "--store", store, "--inconclusive", "pass")[0] == 0


def test_the_table_fits_80_columns_and_a_pipe_gets_no_colour_codes(pinchpoint, store):
    _, out, _ = pinchpoint("compare", "v1", "latest", "--store", store)
    assert "\x1b" not in out
    table = out.partition("✗ fails")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert out.index("✗ fails") < out.index("exact counts equal")


def test_json_markdown_and_csv_hold_every_finding_and_the_sentence_goes_to_stderr(pinchpoint, store):
    told = ("compare", "v1", "latest", "--store", store, *SPREAD, "-o")
    code, out, err = pinchpoint(*told, "json")
    content = json.loads(out)
    assert (code, content["outcome"], "Regression" in err) == (1, "fail", True)
    rows = list(csv.DictReader(io.StringIO(pinchpoint(*told, "csv")[1])))
    assert len(rows) == len(content["findings"])
    assert rows[0]["verdict"] == content["findings"][0]["verdict"]
    assert "| nano, train |" in pinchpoint(*told, "md")[1]


def test_forms_for_ci_systems_are_written_beside_what_is_printed(pinchpoint, store, tmp_path):
    file = tmp_path / "out" / "gate.json"
    pinchpoint("compare", "v1", "latest", "--store", store, "--write", f"complete={file}")
    assert json.loads(file.read_text())["base"]["label"] == "v1"
    code, _, err = pinchpoint("compare", "v1", "latest", "--store", store, "--write", "complte=x")
    assert (code, "Did you mean 'complete'?" in err) == (2, True)


@pytest.mark.parametrize(
    ("what", "run"),
    [
        ("latest", "20260103-c"),
        ("v1", "20260101-a"),
        ("20260102", "20260102-b"),
        ("bbbb1111", "20260102-b"),
        ("cccc11112222", "20260103-c"),
    ],
)
def test_a_run_is_named_by_its_id_its_commit_or_a_baseline(store, what, run):
    assert references.find(what, store).runs == (run,)
    assert references.find(f"{store}@{what}", "nowhere").runs == (run,)


def test_a_store_alone_is_its_latest_sweep_and_no_diagnosis(store):
    assert references.find(store, "nowhere").runs == ("20260103-c",)
    assert references.find(f"sqlite:///{store}/pinchpoint.sqlite@v1", "nowhere").runs == ("20260101-a",)


def test_a_window_holds_the_newest_runs_but_those_compared_with_it(store):
    assert references.find("last:2", store).runs == ("20260102-b", "20260103-c")
    assert references.find("last:9", store, but=("20260103-c",)).runs == ("20260101-a", "20260102-b")
    assert {each.run for each in references.find("latest", store).past} == {"20260101-a", "20260102-b"}


def test_a_window_is_compared_as_one(pinchpoint, store):
    code, out, _ = pinchpoint("compare", "last:2", "latest", "--store", store, *SPREAD, "-o", "json")
    assert code == 1
    assert [each["samples"] for each in json.loads(out)["findings"] if each["metric"] == "latency_s"] == [8, 8]


def test_a_tag_of_git_names_the_run_of_its_commit(store, tmp_path, monkeypatch):
    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "-m", "first")
    git("tag", "v0.9")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"'v0.9' is commit [0-9a-f]{12}, of which .* has no run") as caught:
        references.find("v0.9", store)
    assert "pinchpoint ab --base v0.9" in caught.value.remedy
    monkeypatch.setitem(factories.HOST, "git_commit", "x")
    monkeypatch.setattr("tests.test_compare_command.COMMITS", (git("rev-parse", "--short=12", "HEAD"),))
    keep(tmp_path / "results", {"20260109-z": [record(STEADY, "20260109-z")]})
    assert references.find("v0.9", store).runs == ("20260109-z",)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("lates", "Did you mean 'latest'?"),
        ("v2", "has no run 'v2'"),
        ("202601", "is the beginning of 3 runs"),
        ("last:0", "is no window of runs"),
        ("last:many", "is no window of runs"),
        ("--upload-pack=x", "has no run"),
    ],
)
def test_a_name_that_is_none_is_refused_with_what_there_is(store, what, says):
    with pytest.raises(UserError) as caught:
        references.find(what, store)
    assert says in caught.value.message
    assert caught.value.remedy


def test_a_baseline_whose_run_is_gone_says_so(store):
    with open_store(store) as opened:
        opened.set_baseline(Baseline("lost", "20250101-x", "2026"))
    with pytest.raises(UserError, match="names run 20250101-x, which"):
        references.find("lost", store)


def test_places_that_do_not_exist_or_are_no_store_are_usage_errors(pinchpoint, store, tmp_path):
    (tmp_path / "note.sqlite").write_bytes(b"\xff\xfe\x00")
    for name in (str(tmp_path / "none"), f"{tmp_path}/none@v1", str(tmp_path / "note.sqlite"), str(tmp_path)):
        code, _, err = pinchpoint("compare", name, store)
        assert code == 2
        assert err.startswith("pinchpoint: ")
    assert pinchpoint("compare", "v1", "latest", "--store", str(tmp_path / "none"))[0] == 2


@pytest.mark.parametrize("flags", [("--fail-on", "latency:5"), ("--run-spread", "much"), ("--allow-more", "flop")])
def test_what_is_no_percentage_or_no_count_is_a_usage_error(pinchpoint, store, flags):
    code, _, err = pinchpoint("compare", "v1", "latest", "--store", store, *flags)
    assert code == 2
    assert err.count("\n") == 2


def test_an_export_stands_for_its_store(pinchpoint, store, tmp_path):
    for form in ("jsonl", "json"):
        _, out, _ = pinchpoint("export", store, "--run", "20260101-a", "-o", form)
        file = tmp_path / f"records.{form}"
        file.write_text(out)
        assert pinchpoint("compare", file, store, *SPREAD)[0] == 1
        assert references.find(str(file), "").runs == ("20260101-a",)


LINE = to_json(record(STEADY))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{LINE}\n{LINE[:500]}", "line 2: the file is cut off"),
        (f"{LINE}\n{{]", "line 2: the file is no JSON"),
        (f"[\n{LINE},\n", "line 3: the file is cut off"),
        (f"[\n{LINE},\n{{}}\n]", "line 3: This is not a record"),
        ('{"schema": 99}', "line 1: This record has schema 99"),
        ("", "is empty"),
        ("[" * 5000, "line 1"),
    ],
)
def test_a_broken_export_is_named_with_its_line(tmp_path, text, says):
    file = tmp_path / "records.json"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        references.find(str(file), "")
    assert says in caught.value.message


@given(st.binary(max_size=60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_in_a_file_are_records_or_a_usage_error(tmp_path, content):
    file = tmp_path / "any"
    file.write_bytes(content)
    with pytest.raises(UserError):
        references.find(str(file), "")


@given(st.text(max_size=20))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_found_or_a_usage_error(store, name):
    try:
        found = references.find(f"{store}@{name}", store)
    except UserError as error:
        assert error.remedy
    else:
        assert found.records
