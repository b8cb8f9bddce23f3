"""A side of a user's own tests: what pytest collects is measured in forks, whatever the tests do there."""

import math
import subprocess
import tempfile
import time

import psutil
import pytest

from bench.ab import tests_source
from bench.errors import UserError
from bench.executors.forking import Launch
from bench.executors.local import ChildFailed, Conversation
from bench.gate import Limit

_TESTS = """
import os, sys, time

import pytest

def work():
    return sum(range(100))

def test_twice(benchmark):
    benchmark(work)
    benchmark(work)

@pytest.mark.pinchpoint(limit="3%", budget=30)
def test_limited(benchmark):
    benchmark(work)

def test_never(benchmark):
    pass

async def coroutine():
    pass

def test_async(benchmark):
    benchmark(coroutine)

def test_exits(benchmark):
    benchmark(lambda: os._exit(3))

def test_dies_behind_a_fork(benchmark):
    if os.fork() == 0:
        time.sleep(600)
    os._exit(4)

@pytest.mark.skip(reason="not today")
def test_skipped(benchmark):
    benchmark(work)

def test_elsewhere(benchmark, tmp_path):
    os.chdir(tmp_path)
    benchmark(work)

def test_prints(benchmark):
    benchmark(lambda: print("x" * 100_000))

def test_keyword(benchmark):
    assert benchmark(lambda function: function, function=3) == 3

def test_set_up(benchmark):
    benchmark.pedantic(lambda n: sum(range(n)), setup=lambda: ((100,), {}), rounds=3)

def test_leaves_a_process(benchmark):
    left = os.spawnv(os.P_NOWAIT, sys.executable, ["python", "-c", "import time; time.sleep(600)"])
    benchmark.extra_info["pid"] = left
    benchmark(work)

@pytest.mark.parametrize("text", ["a b", "ü", "a::b", "[x]", "a/b", "\\n", ""])
def test_named(pinchpoint, text):
    pinchpoint(work)
"""


@pytest.fixture(scope="module")
def side(tmp_path_factory):
    """The tests above, beside a file that cannot be collected, in a project whose options would disturb them."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "test_these.py").write_text(_TESTS)
    (folder / "test_broken.py").write_text("raise RuntimeError('no such device')\n")
    (folder / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-config --strict-markers --ff\ncache_dir = kept\nfilterwarnings = error\n"
    )
    made = tests_source.Tests("base", Launch(folder=folder), ["."], 30)
    yield made
    made.close()


@pytest.fixture(scope="module")
def found(side):
    return side.benchmarks()


def measured(side, benchmark):
    running = side.start(benchmark)
    try:
        running.warm_up(0.01)
        assert len(running.block(5)) == 5
        return running.peak(5), running.finish()
    finally:
        running.close()


def test_what_cannot_be_collected_is_told_beside_what_can(side, found):
    assert "test_these.py::test_named[a b]" in found
    assert side.uncollected == ("test_broken.py: RuntimeError: no such device",)


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("test_twice", "called twice"),
        ("test_never", "never called its fixture"),
        ("test_async", "asyncio.run"),
        ("test_exits", "exit code 3"),
        ("test_dies_behind_a_fork", "exit code 4"),
        ("test_skipped", "the test was skipped: Skipped: not today"),
    ],
)
def test_a_test_that_cannot_be_measured_says_why(side, found, test, told):
    with pytest.raises(ChildFailed) as failed:
        measured(side, f"test_these.py::{test}")
    assert told in failed.value.reason


def test_the_last_words_of_a_process_that_has_ended_are_heard():
    process = subprocess.Popen(["echo", '{"ended": "skipped"}'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.wait()
    conversation = Conversation(process, tempfile.TemporaryFile())  # noqa: SIM115 - closed by kill()
    try:
        assert conversation.ask(None, 10) == {"ended": "skipped"}
        with pytest.raises(ChildFailed, match="exit code 0"):
            conversation.ask({"do": "block"}, 10)
    finally:
        conversation.kill()


@pytest.mark.parametrize("test", ["test_elsewhere", "test_prints", "test_set_up", "test_keyword"])
def test_what_a_test_does_to_its_process_disturbs_nothing(side, found, test):
    readings, _ = measured(side, f"test_these.py::{test}")
    assert readings["overhead_s"] > 0


def test_whatever_its_parameters_are_a_test_is_found_by_its_id(side, found):
    named = [name for name in found if "::test_named" in name]
    assert len(named) == 7
    for name in named:
        measured(side, name)


def test_a_process_that_a_test_leaves_behind_is_ended(side, found):
    _, counts = measured(side, "test_these.py::test_leaves_a_process")
    ends = time.monotonic() + 10
    while psutil.pid_exists(counts["pid"]) and psutil.Process(counts["pid"]).status() != "zombie":
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_threads_that_collecting_starts_forbid_forks_and_an_exit_code_is_told_all_the_same(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "def test_works(benchmark):\n    benchmark(int)\n"
        "def test_exits(benchmark):\n    benchmark(lambda: os._exit(7))\n"
    )
    side = tests_source.Tests("base", Launch(folder=tmp_path), ["test_it.py"], 30)
    try:
        assert len(side.benchmarks()) == 2
        measured(side, "test_it.py::test_works")
        with pytest.raises(ChildFailed, match="exit code 7"):
            measured(side, "test_it.py::test_exits")
    finally:
        side.close()


@pytest.mark.parametrize(
    ("marker", "unnamed", "told"),
    [
        ({"limit": "fast"}, [], "'fast' has no limit in percent"),
        ({"limit": 0.05}, [], "'0.05' has no limit in percent"),
        ({"budget": "-1s"}, [], "is no time"),
        ({"budget": math.nan}, [], "is no time"),
        ({"limits": "5%"}, [], "Did you mean 'limit'?"),
        ({"inconclusive": "maybe"}, [], "neither 'pass' nor 'fail'"),
        ({}, ["5%"], "without a name"),
    ],
)
def test_a_marker_that_asks_for_nonsense_is_refused_as_the_plugin_does(marker, unnamed, told):
    with pytest.raises(UserError) as refused:
        tests_source._benchmark({"id": "test_it.py::test_it", "marker": marker, "unnamed": unnamed})
    assert told in refused.value.message
    assert "test_it" in refused.value.message


def test_a_marker_gives_a_benchmark_its_own_limit_and_budget(found):
    own = found["test_these.py::test_limited"]
    assert (own.limit, own.budget_s) == (Limit(0.03), 30.0)
    other = found["test_these.py::test_twice"]
    assert (other.limit, other.budget_s) == (None, None)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"conftest.py": "raise RuntimeError('no such device')\n"}, "RuntimeError: no such device"),
        ({"pytest.ini": "[pytest]\naddopts = --no-such-option\n"}, "unrecognized arguments: --no-such-option"),
    ],
)
def test_why_pytest_does_not_start_is_told(tmp_path, files, told):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    side = tests_source.Tests("new", Launch(folder=tmp_path), ["."], 30)
    with pytest.raises(UserError, match="side 'new'") as failed:
        side.benchmarks()
    side.close()
    assert told in failed.value.message
