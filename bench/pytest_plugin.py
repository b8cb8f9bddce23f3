"""The fixture `pinchpoint` for your own tests: `pinchpoint(new)` times, and `pinchpoint(new, against=old)` gates.

pytest finds this file by its entry point in every session, so it imports nothing that takes long, and does nothing
unless a test asks for the fixture.
"""

import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from bench.errors import UserError

if TYPE_CHECKING:
    from bench.in_process import Paired
    from bench.pytest_marker import Options
    from bench.pytest_summary import Result

Returned = TypeVar("Returned")

_RESULTS: "pytest.StashKey[list[Result]]" = pytest.StashKey()


class PinchpointInconclusive(pytest.PytestWarning):
    """The budget was used up before it was clear whether a function is slower than its limit allows."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pinchpoint-json FILE`."""
    parser.getgroup("pinchpoint").addoption(
        "--pinchpoint-json",
        metavar="FILE",
        default=None,
        help="keep what the fixture `pinchpoint` measured as JSON of pytest-benchmark",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse a file that cannot be written before anything is measured."""
    config.addinivalue_line(
        "markers",
        'pinchpoint(budget="2s", limit="5%", inconclusive="pass"): how long the fixture `pinchpoint` may measure, how '
        "much slower than `against` is accepted, and whether a test passes or fails where that cannot be told",
    )
    config.stash[_RESULTS] = []
    if config.getoption("pinchpoint_json") and not hasattr(config, "workerinput"):
        from bench import files

        try:
            files.make_folder(Path(config.getoption("pinchpoint_json")).resolve().parent)
        except UserError as error:
            raise pytest.UsageError(f"--pinchpoint-json: {error.message} Choose another file.") from error


@pytest.fixture
def pinchpoint(request: pytest.FixtureRequest) -> "Pinchpoint":
    """Times a function, or two against each other; the function's own result is returned."""
    return Pinchpoint(request.node, _options(request.node))


def _options(node: pytest.Item) -> "Options":
    from bench import pytest_marker

    marker = node.get_closest_marker("pinchpoint")
    try:
        return pytest_marker.read(marker.kwargs, node.nodeid, marker.args) if marker else pytest_marker.Options()
    except UserError as error:
        wrong = f"{error.message} {error.remedy}"
    pytest.fail(wrong, pytrace=False)


class Pinchpoint:
    """What a test gets. `extra_info` is the test's own, and goes into the JSON."""

    def __init__(self, node: pytest.Item, options: "Options") -> None:
        self.extra_info: dict[str, Any] = {}
        self._node = node
        self._options = options
        self._used = False

    def __call__(
        self,
        function: Callable[..., Returned],
        /,
        *args: Any,
        against: Callable[..., object] | None = None,
        **kwargs: Any,
    ) -> Returned:
        """Call the function once for its result, then again and again for its time, within the marker's budget.

        With `against`, both are timed in turns with the same arguments, and the test fails where `function` is surely
        slower than the limit allows. In a worker of pytest-xdist nothing is timed, since tests disturb each other.
        """
        self._refuse_misuse(function, against)
        result = function(*args, **kwargs)
        if hasattr(self._node.config, "workerinput"):
            warnings.warn(
                pytest.PytestWarning("pinchpoint times nothing beside other tests: run with -n 0."), stacklevel=2
            )
            return result
        from bench import in_process

        budget_s, limit = self._options.budget_s, self._options.limit
        if against is None:
            times = in_process.alone(lambda: function(*args, **kwargs), budget_s)
            self._keep(times)
            return result
        paired = in_process.against(
            lambda: function(*args, **kwargs), lambda: against(*args, **kwargs), budget_s, limit, self._node.nodeid
        )
        self._keep(paired.new, paired=paired, old=_name(against), limit=limit.share)
        self._judge(paired, _name(function), _name(against))
        return result

    def _refuse_misuse(self, *functions: Callable[..., object] | None) -> None:
        if self._used:
            pytest.fail("pinchpoint measures once in a test: give each measurement a test of its own.", pytrace=False)
        for function in functions:
            if function is not None and not callable(function):
                pytest.fail(f"pinchpoint takes a function, and {function!r} is none.", pytrace=False)
            if inspect.iscoroutinefunction(function):
                pytest.fail(
                    f"Calling the coroutine function {_name(function)} does none of its work: "
                    "give pinchpoint a function that runs it, such as lambda: asyncio.run(work()).",
                    pytrace=False,
                )
        self._used = True

    def _keep(self, times: Any, **more: Any) -> None:
        from bench.pytest_summary import Result

        call = getattr(self._node, "callspec", None)
        named = {"params": dict(call.params), "param": call.id} if call is not None else {}
        kept = Result(self._node.name, self._node.nodeid, times, extra_info=self.extra_info, **named, **more)
        self._node.config.stash[_RESULTS].append(kept)

    def _judge(self, paired: "Paired", new: str, old: str) -> None:
        from bench.gate import MARGIN
        from bench.pytest_summary import change, pairs

        limit = 100 * self._options.limit.share
        found = f"{new} against {old}: {change(paired)} over {pairs(paired)}"
        if paired.outcome == "fail":
            surely = f"surely more than {MARGIN * limit:g} % ({MARGIN:g} of the limit of {limit:g} %)"
            pytest.fail(f"{found}, {surely}.", pytrace=False)
        if paired.outcome == "undecided":
            told = f"{found}: {self._options.budget_s:g} s did not suffice to decide on the limit of {limit:g} %."
            if self._options.inconclusive == "fail":
                pytest.fail(f"{told} Give it a longer budget, or a wider limit.", pytrace=False)
            warnings.warn(PinchpointInconclusive(told), stacklevel=3)


def _name(function: Callable[..., object]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__name__).rpartition("<locals>.")[2]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the JSON, where it was asked for."""
    config = session.config
    path = config.getoption("pinchpoint_json")
    if not path or hasattr(config, "workerinput"):
        return
    from pytest_benchmark.utils import get_commit_info

    from bench import benchmark_json, files, host
    from bench.pytest_summary import entry

    machine = benchmark_json.machine(host.describe(), with_name=False)
    entries = [entry(result) for result in config.stash[_RESULTS]]
    try:
        files.write(Path(path).resolve(), benchmark_json.document(entries, machine, get_commit_info()))  # type: ignore[no-untyped-call]
    except UserError as error:
        pytest.exit(f"--pinchpoint-json: {error.message}", returncode=int(pytest.ExitCode.INTERNAL_ERROR))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, where anything was measured."""
    results = config.stash.get(_RESULTS, [])
    if results:
        from bench.pytest_summary import lines

        terminalreporter.section("pinchpoint: times within one process")
        for line in lines(results):
            terminalreporter.write_line(line)
