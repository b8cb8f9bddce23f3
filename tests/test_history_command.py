"""`pinchpoint history` and `pinchpoint baseline`, on real stores."""

import csv
import io
import json
import shutil

import pytest

from bench.opening import open_store
from bench.store import Run
from tests import factories


def keep(folder, records):
    """A store with a run for each run of the records."""
    runs = {}
    for record in records:
        runs.setdefault(record.run, []).append(record)
    with open_store(str(folder), create=True) as store:
        for run, members in runs.items():
            axes = tuple(record.axes for record in members)
            store.add_run(Run(run, "quick", members[0].started_at, axes, {}, "", members[0].host))
            for record in members:
                store.put_record(record)
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    moved = factories.past(factories.step(8, 8, 1.1), workload="decode")
    still = factories.past(factories.step(16, 0, 1), batch_size=4)
    return keep(tmp_path_factory.mktemp("kept"), [*moved, *still])


@pytest.fixture
def store(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "results")


def test_the_table_names_the_change_and_fits_80_columns(pinchpoint, store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = pinchpoint("history", store)
    assert code == 0
    assert "slower, between run" in " ".join(out.split())
    assert "no change" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_points_are_chosen_by_axes_or_the_start_of_an_id(pinchpoint, store):
    _, by_axes, _ = pinchpoint("history", store, "--point", "workload=decode,batch_size=1", "-o", "json")
    (found,) = json.loads(by_axes)
    assert found["changes"][0]["at"] == 8
    _, by_id, _ = pinchpoint("history", store, "--point", found["point"][:5], "-o", "json")
    assert json.loads(by_id) == [found]


def test_metrics_have_short_and_full_names(pinchpoint, store):
    _, out, _ = pinchpoint("history", store, "--metric", "max_ram", "--metric", "latency_p99_s", "-o", "csv")
    assert {row["metric"] for row in csv.DictReader(io.StringIO(out))} == {"max_ram_B", "latency_p99_s"}


def test_a_file_for_otava_comes_from_one_point(pinchpoint, store):
    code, out, _ = pinchpoint("history", store, "--point", "workload=decode", "-o", "otava")
    assert code == 0
    assert len(out.splitlines()) == 17


def test_one_run_tells_nothing_and_says_how_many_it_takes(pinchpoint, tmp_path):
    code, out, _ = pinchpoint("history", keep(tmp_path / "one", factories.past([3e-3])))
    assert code == 0
    assert "1 of 9 runs" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/no/such/store"], "There is no store at /no/such/store"),
        (["--metric", "latncy"], "Did you mean 'latency'"),
        (["--metric", "joules_per_token"], "RAPL can be read by root only"),
        (["--point", "zzz"], "No point is 'zzz'"),
        (["--point", "batchsize=1"], "Did you mean 'batch_size'"),
        (["--point", "batch_size=x"], "is no whole number"),
        (["--branch", "mian"], "Did you mean 'main'"),
        (["-o", "otava"], "holds one point"),
    ],
)
def test_a_mistake_is_one_clear_message(pinchpoint, store, arguments, said):
    where = [] if arguments[0].startswith("/") else [store]
    code, out, err = pinchpoint("history", *where, *arguments)
    assert code == 2
    assert out == ""
    assert said in err
    assert len(err.splitlines()) <= 3


def test_a_store_in_which_nothing_finished_has_no_history(pinchpoint, tmp_path):
    open_store(str(tmp_path / "empty"), create=True).close()
    code, _, err = pinchpoint("history", tmp_path / "empty")
    assert code == 2
    assert "no finished run" in err


def test_records_can_be_read_without_their_blocks(tmp_path):
    made = factories.record()
    with open_store(str(tmp_path), create=True) as store:
        for block in made.blocks:
            store.add_block(made.run, made.point, block)
        store.put_record(made)
        (bare,) = store.records(made.run, with_blocks=False)
    assert bare.blocks == []
    assert bare.metrics == made.metrics


def test_a_report_shows_the_history_of_its_stores(pinchpoint, store):
    code, _, _ = pinchpoint("report", store)
    assert code == 0
    assert "<h2" in (page := (store / "report.html").read_text())
    assert "Over 16 runs 1 point changed" in page
    assert "History" in (store / "report.md").read_text()


# --- baselines ---


def test_a_name_is_set_shown_listed_moved_and_removed(pinchpoint, store):
    code, out, _ = pinchpoint("baseline", "set", "main", store)
    assert code == 0
    assert out == "main is run 20260116-030405-0010 (commit 000000000010).\n"
    _, out, _ = pinchpoint("baseline", "set", "main", store, "--run", "20260103-030405-0003")
    assert "before 20260116-030405-0010" in out
    _, out, _ = pinchpoint("baseline", "show", "main", store, "--json")
    shown = json.loads(out)
    assert (shown["run"], shown["branch"], shown["points"]) == ("20260103-030405-0003", "main", {"ok": 2})
    _, out, _ = pinchpoint("baseline", "show", "main", store)
    assert "2 ok" in out
    pinchpoint("baseline", "set", "release/1.2", store)
    _, out, _ = pinchpoint("baseline", "list", store)
    assert [line.split()[0] for line in out.splitlines()] == ["name", "main", "release/1.2"]
    assert max(map(len, out.splitlines())) <= 80
    code, out, _ = pinchpoint("baseline", "remove", "main", store)
    assert code == 0
    _, out, _ = pinchpoint("baseline", "list", store, "--json")
    assert [each["name"] for each in json.loads(out)] == ["release/1.2"]


@pytest.mark.parametrize("asked", ["00000000000a", "00000000000a" + "0" * 28, "20260110"])
def test_a_run_is_found_by_its_commit_or_the_start_of_its_id(pinchpoint, store, asked):
    _, out, _ = pinchpoint("baseline", "set", "x", store, "--run", asked)
    assert "20260110-030405-000a" in out


def test_latest_is_the_newest_run_that_only_measured(pinchpoint, store):
    with open_store(str(store)) as opened:
        last = factories.past([3e-3], first=20)[0]
        opened.add_run(Run(last.run, "diagnose", last.started_at, (last.axes,), {}, "", last.host))
        opened.put_record(last)
    _, out, _ = pinchpoint("baseline", "set", "x", store)
    assert "20260116" in out


def test_a_store_without_names_lists_none(pinchpoint, store):
    code, out, err = pinchpoint("baseline", "list", store)
    assert (code, out) == (0, "")
    assert "No run in" in err
    _, out, _ = pinchpoint("baseline", "list", store, "--json")
    assert json.loads(out) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["set", "last"], "means a run by its place in time"),
        (["set", "last:5"], "is no name for a baseline"),
        (["set", "a b"], "is no name for a baseline"),
        (["set", "x" * 101], "is no name for a baseline"),
        (["set", ""], "is no name for a baseline"),
        (["set", "x", "--run", "20260116-030405-0011"], "Did you mean '20260116-030405-0010'"),
        (["set", "x", "--run", "202601"], "'202601' is the beginning of 16 runs"),
        (["show", "mian"], "Did you mean 'main'"),
        (["remove", "none"], "has no baseline 'none'"),
    ],
)
def test_a_mistake_with_a_baseline_is_one_clear_message(pinchpoint, store, arguments, said):
    pinchpoint("baseline", "set", "main", store)
    action, name, *rest = arguments
    code, out, err = pinchpoint("baseline", action, name, store, *rest)
    assert code == 2
    assert out == ""
    assert said in err


def test_a_store_without_runs_gives_no_baseline(pinchpoint, tmp_path):
    open_store(str(tmp_path / "empty"), create=True).close()
    code, _, err = pinchpoint("baseline", "set", "main", tmp_path / "empty")
    assert code == 2
    assert "Nothing was measured" in err
