"""The fixture `pinchpoint` in somebody else's tests, run by pytest itself. What is slower is so by a count of loops."""

import json
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

# Loaded here, as a session in this process forgets the modules that it loaded, and numpy must not be loaded twice.
from bench import gate, in_process, pytest_summary

pytest_plugins = ["pytester"]

#: Under the name that an installed pinchpoint gives it, since pytest refuses one plugin under two names.
PLUGIN = "pinchpoint" if "pinchpoint" in entry_points(group="pytest11").names else "bench.pytest_plugin"
WORK = """
import pytest

def work(n):
    return sum(range(n))

def old(n):
    return work(n)

def double(n):
    return work(2 * n)

"""


@pytest.fixture
def session(pytester):
    """Runs a file of tests: `session(text, *flags)`."""

    def run(text, *flags):
        pytester.makepyfile(test_theirs=WORK + text)
        return pytester.runpytest_inprocess("-p", PLUGIN, "-p", "no:cacheprovider", "-W", "default", *flags)

    return run


def test_the_function_is_timed_and_its_own_result_returned(session):
    done = session("""
@pytest.mark.pinchpoint(budget="0.15s")
def test_it(pinchpoint):
    assert pinchpoint(work, 3000) == work(3000)
""")
    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines([r"test_it +[\d.]+ (\[[\d., ]+\] )?µs.* of [\d,]+", ".*within one process"])
    assert all(len(line) <= 80 for line in done.outlines if "µs" in line or "process" in line)


def test_a_function_that_is_surely_slower_than_the_other_fails_its_test(session):
    done = session("""
def test_it(pinchpoint):
    pinchpoint(double, 5000, against=old)
""")
    done.assert_outcomes(failed=1)
    done.stdout.re_match_lines([r"double against old: \+\d+ % \[.*surely more than 2 % \(0\.4 of the limit of 5 %\)\."])


def test_a_function_that_is_surely_not_slower_passes(session):
    done = session("""
@pytest.mark.pinchpoint(budget="6s", limit="50%")
def test_it(pinchpoint):
    assert pinchpoint(old, 5000, against=double) == work(5000)
""")
    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines([r"  against double: -\d+ % .*within the limit of 50 %"])


STARVED = """
@pytest.mark.pinchpoint(budget=0.05, inconclusive="{}")
def test_it(pinchpoint):
    pinchpoint(work, 5000, against=old)
"""


def test_what_the_budget_leaves_open_passes_with_a_warning(session):
    done = session(STARVED.format("pass"))
    done.assert_outcomes(passed=1, warnings=1)
    done.stdout.fnmatch_lines(["*PinchpointInconclusive: work against old: *did not suffice*"])


def test_what_the_budget_leaves_open_fails_where_the_marker_says_so(session):
    done = session(STARVED.format("fail"))
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*did not suffice to decide on the limit of 5 %. Give it a longer budget*"])


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("budget='soon'", "*test_it: budget = 'soon' is no time*"),
        ("budget=None", "*test_it: budget = None is no time*"),
        ("budget='0s'", "*test_it: budget = '0s' is no time*"),
        ("limit='five'", "*test_it: 'five' has no limit in percent.*"),
        ("limit='0%'", "*test_it: A limit of 0% is out of range.*"),
        ("inconclusive='maybe'", "*test_it: inconclusive = 'maybe' is neither*"),
        ("buget='1s'", "*test_it: the marker pinchpoint has no 'buget'. Did you mean 'budget'?*"),
        ("'2s'", "*test_it: the marker pinchpoint takes no '2s' without a name.*"),
    ],
)
def test_a_bad_marker_is_one_sentence_that_names_the_test(session, marker, said):
    done = session(f"""
@pytest.mark.pinchpoint({marker})
def test_it(pinchpoint):
    pinchpoint(work, 5000)
""")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([said])
    done.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("pinchpoint(work, 9); pinchpoint(work, 9)", "*once in a test*"),
        ("pinchpoint(work(9))", "*takes a function, and 36 is none*"),
        ("pinchpoint(work, 9, against=3)", "*takes a function, and 3 is none*"),
        ("pinchpoint(later)", "*coroutine function later does none of its work*"),
        ("pinchpoint(raises)", "*ZeroDivisionError*"),
    ],
)
def test_misuse_fails_the_test_with_a_sentence(session, call, said):
    done = session(f"""
async def later(): pass
def raises(): 1 / 0
@pytest.mark.pinchpoint(budget=0.05)
def test_it(pinchpoint):
    {call}
""")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines([said])


def test_the_json_is_read_by_pytest_benchmark_itself(session, pytester):
    done = session(
        """
@pytest.mark.pinchpoint(budget=0.05)
@pytest.mark.parametrize("n", [10000, 20000])
def test_it(pinchpoint, n):
    pinchpoint.extra_info["bytes"] = 8 * n
    pinchpoint(work, n, against=old)
""",
        "--pinchpoint-json=out/found.json",
    )
    done.assert_outcomes(passed=2, warnings=2)
    found = json.loads((pytester.path / "out" / "found.json").read_text())
    assert [each["extra_info"]["bytes"] for each in found["benchmarks"]] == [80000, 160000]
    assert found["benchmarks"][0]["extra_info"]["pinchpoint"]["outcome"] == "undecided"
    assert found["machine_info"]["node"] == ""
    shown = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "out/found.json"],
        cwd=pytester.path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "test_it[20000]" in shown.stdout


def test_a_json_that_cannot_be_written_is_refused_before_anything_is_measured(session, pytester):
    (pytester.path / "file").write_text("")
    done = session("def test_it(pinchpoint): pinchpoint(work, 9)", "--pinchpoint-json=file/found.json")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["ERROR: --pinchpoint-json: *cannot be written*"])


def test_beside_other_tests_nothing_is_timed(session):
    done = session("""
@pytest.fixture
def worker(request):
    request.config.workerinput = {"workerid": "gw0"}
    yield
    del request.config.workerinput

def test_it(worker, pinchpoint):
    assert pinchpoint(work, 9, against=double) == 36
""")
    done.assert_outcomes(passed=1, warnings=1)
    done.stdout.no_fnmatch_line("*within one process*")


def test_a_session_that_does_not_use_it_loads_nothing_heavy_and_shows_nothing():
    code = (
        "import sys, pytest; import bench.pytest_plugin; "
        "print({'torch', 'numpy', 'scipy', 'bench.gate'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def result(name, **more):
    times = in_process.Times(10_000, (2e-6,) * 9, (1.001e-6,) * 9, 1e-9, True)
    return pytest_summary.Result(name, f"test_it.py::{name}", times, **more)


def paired(outcome, logs):
    times = in_process.Times(12, (1.0,), (1.0,), 0.0, None)
    estimate = gate.estimate(logs, gate.look_alpha())
    return in_process.Paired(times, times, outcome, "between", estimate, 3)


@pytest.mark.parametrize("outcome", ["pass", "fail", "undecided"])
@pytest.mark.parametrize("logs", [[0.5], [-3.0] * 42, [8.0] * 10])
def test_the_table_fits_80_columns_whatever_the_names(outcome, logs):
    shown = pytest_summary.lines(
        [
            result("test_short"),
            result(f"test_{'long_' * 20}[{'x' * 50}]", paired=paired(outcome, logs), old="f" * 90, limit=0.0125),
        ]
    )
    assert max(map(len, shown)) <= 80
    assert "xxx]" in shown[2]
    assert shown[3].endswith("1.25 %")


def test_what_the_clock_is_a_part_of_and_what_has_not_settled_carry_a_sign():
    tiny = in_process.Times(10_000, (1e-7,) * 9, (1e-7,) * 9, 5e-8, None)
    shown = pytest_summary.lines([pytest_summary.Result("test_tiny", "test_tiny", tiny)])
    assert "ns*†" in shown[1]
    assert shown[-2:] == [
        "* So short that reading the clock is a part of it: let the function do more.",
        "† Not shown to have settled within the budget.",
    ]
    assert "*" not in "".join(pytest_summary.lines([result("test_plain")]))


def test_a_budget_that_ends_between_two_looks_is_decided_on_what_there_is():
    ticks = iter(range(10_000))
    found = in_process.against(
        lambda: sum(range(20_000)), lambda: sum(range(1000)), 0.6, gate.Limit(0.05), clock=lambda: next(ticks) * 0.04
    )
    assert found.groups in range(1, 42)
    assert found.outcome == ("undecided" if found.groups < 9 else "fail")
