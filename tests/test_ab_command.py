"""`pinchpoint ab` on a real repository: red on a planted slow-down, green without, open where it is starved of time."""

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import psutil
import pytest

from bench.ab import engine, git, sides
from bench.commands import _ab
from bench.errors import UserError
from bench.opening import open_store
from tests.gated_repository import LOAD, Repository, Work

#: Far beyond what any noise does, so that no answer depends on how fast or busy the machine is.
SLOW = Work(lines=60)
LIMIT = ("--fail-on", "latency:60%")
PLUGINLESS = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    made = Repository(tmp_path_factory.mktemp("project") / "work")
    made.commit("v1", Work(lines=20))
    made.commit("same", Work(lines=20, remark="nothing that runs differs"))
    made.commit("slow", SLOW)
    made.commit("failing", Work(lines=20, fails=True))
    return made


@pytest.fixture
def ab(pinchpoint, repository, monkeypatch, tmp_path):
    """Run `pinchpoint ab` in the repository: (exit code, stdout, stderr). Blocks are short, to be soon done, and so are
    starts: without plugins, tests get the stand-in for `benchmark` alone."""
    monkeypatch.chdir(repository.folder)
    monkeypatch.setenv(PLUGINLESS, "1")
    monkeypatch.setattr(engine, "BLOCK_S", 0.002)
    monkeypatch.setattr(engine, "PAIR_S", 0.01)
    monkeypatch.setattr(_ab, "_STEP_LOOKS", (2,))

    def run(*arguments):
        found = pinchpoint("ab", "-q", "--output-dir", tmp_path / "results", *arguments)
        left = [child for child in psutil.Process().children(recursive=True) if child.status() != "zombie"]
        assert not left
        return found

    return run


def test_a_planted_slow_down_is_red_and_its_commit_is_found(ab, repository, tmp_path):
    report = tmp_path / "gate.xml"
    code, out, _ = ab("--base", "v1", "--new", "slow", LOAD, *LIMIT, "--bisect", "--write", f"junit={report}")
    assert code == 1
    assert "✗ slower" in out
    slow = repository.commits["slow"]
    assert git.title(repository.folder, slow) in " ".join(out.split())
    assert [each.tag for each in ET.parse(report).getroot().iter("failure")] == ["failure"]
    with open_store(str(tmp_path / "results")) as store:
        [run] = store.runs()
        counted = {(pair["base"]["counts"]["lines"], pair["new"]["counts"]["lines"]) for pair in store.pairs(run.run)}
    assert counted == {(20, 60)}  # the work was planted, whatever the clock says


def test_without_a_change_it_is_green_and_the_report_shows_it(ab, pinchpoint, tmp_path):
    code, out, _ = ab("--base", "v1", "--new", "same", LOAD, *LIMIT)
    assert code == 0
    assert "No regression" in out
    code, out, _ = pinchpoint("report", tmp_path / "results", "-o", "md")
    assert code == 0
    assert "test\\_load" in out


def test_starved_of_time_it_says_that_it_cannot_tell(ab, monkeypatch):
    monkeypatch.delenv(PLUGINLESS)  # with the fixture of pytest-benchmark itself
    code, out, _ = ab("--base", "v1", "--new", "same", LOAD, "--budget", "1")
    assert code == 3
    assert "bounds take 9" in " ".join(out.split())
    assert ab("--base", "v1", "--new", "same", LOAD, "--budget", "1", "--inconclusive", "pass")[0] == 0


def test_the_working_tree_is_a_side_without_being_committed(ab, repository):
    try:
        repository.write(Work(lines=20, fails=True, remark="not committed"))
        code, out, _ = ab("--base", "v1", LOAD)
    finally:
        repository.git("checkout", "--", ".")
    assert code == 1
    assert "assert not" in out


def test_a_benchmark_that_fails_on_the_new_side_fails_the_gate(ab):
    code, out, _ = ab("--base", "v1", "--new", "failing", LOAD, "-o", "json")
    assert code == 1
    [finding] = json.loads(out)["findings"]
    assert (finding["code"], finding["verdict"]) == ("new_fails", "missing")


def test_a_benchmark_that_hangs_on_a_side_is_ended(ab, repository):
    file = repository.folder / "benchmarks/test_load.py"
    kept = file.read_text()
    try:
        file.write_text(kept.replace("    done = 0\n", "    import time\n    time.sleep(600)\n    done = 0\n", 1))
        code, out, _ = ab("--base", "v1", LOAD, "--time-limit", "1")
    finally:
        file.write_text(kept)
    assert code == 1
    assert "gave no answer within 1 s" in " ".join(out.split())


def test_points_of_a_sweep_are_compared_with_their_exact_counts(pinchpoint, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "one.toml"
    spec.write_text(
        "[settings]\nblock_seconds = 0.001\nwarmup_limit = 0\n[[grid]]\nworkload = 'decode'\nvocabulary = 64\n"
        "embedding = 8\nhidden = 8\nsequence_length = 4\ngenerated_length = 2\n"
    )
    here = ("--base", sys.executable, "--new", sys.executable)
    code, out, _ = pinchpoint("ab", "-q", *here, spec, "--budget", "1", "-o", "json", "--output-dir", tmp_path / "o")
    assert code == 3
    exact = {each["metric"]: each for each in json.loads(out)["findings"] if each["exact"]}
    assert {"parameters", "flops", "operators", "bytes_moved"} <= exact.keys()
    assert {each["verdict"] for each in exact.values()} == {"same"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--base", "v0", LOAD], "There is no revision 'v0'"),
        (["--base", "samee", LOAD], "Did you mean 'same'?"),
        (["--base", "v1", "benchmarks/test_gone.py"], "can collect nothing"),
        (["--base", "v1", "nonsense"], "There is no sweep 'nonsense'"),
        (["--base", "v1", LOAD, "--fail-on", "latency:fast"], "no limit in percent"),
        (["--base", "v1", LOAD, "--fail-on", "speed:5%"], "names no metric"),
        (["--base", "v1", LOAD, "--fail-on", "latency:0.01%"], "out of range"),
        (["--base", "v1", LOAD, "--python", "/no/python"], "does not run"),
        (["--base", "v1", LOAD, "--budget", "soon"], "--budget soon is no time"),
        ([LOAD], "--base"),
        (["--base", sys.executable, "--new", sys.executable, LOAD, "--bisect"], "Only commits can be searched"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(ab, arguments, told):
    code, _, err = ab(*arguments)
    assert code == 2
    assert told in err


def test_files_that_were_touched_and_not_changed_are_no_change(repository):
    (repository.folder / "benchmarks/work.py").touch()
    assert git.commit(repository.folder, git.WORKING_TREE) == repository.git("rev-parse", "HEAD")


def test_outside_a_repository_a_commit_means_nothing(pinchpoint, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, _, err = pinchpoint("ab", "--base", "main", "tests")
    assert code == 2
    assert "in no git repository" in err or "There is no sweep" in err


def test_a_commit_that_does_not_build_shows_its_log(repository, monkeypatch):
    # A backend in the repository itself: nothing is fetched to build it.
    told = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    (repository.folder / "pyproject.toml").write_text(told)
    (repository.folder / "backend.py").write_text("raise SystemExit('no compiler was found')\n")
    repository.commit("broken", Work(lines=20))
    with pytest.raises(UserError, match="does not build") as told:
        sides.environment("broken", repository.folder)
    assert "no compiler was found" in told.value.message
    assert sides.environment("broken", repository.folder, install="none").commit == repository.commits["broken"]
    repository.git("reset", "--quiet", "--hard", "failing")


def test_a_side_inherits_no_environment_of_ours(repository, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    found = sides.environment("v1", repository.folder)
    assert "PYTHONPATH" not in found.launch.environment
    assert found.launch.environment["PATH"].startswith(str(Path(found.launch.python).parent))


def test_a_build_that_was_killed_is_made_anew(repository):
    found = sides.environment("v1", repository.folder)
    place = found.launch.folder.parent
    (place / "complete").unlink()
    (place / "tree/benchmarks/test_load.py").unlink()
    sides.environment("v1", repository.folder)
    assert (place / "tree/benchmarks/test_load.py").exists()
