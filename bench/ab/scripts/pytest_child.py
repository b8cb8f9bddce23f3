"""Runs a user's benchmarks on request, in their own environment: needs pytest and `bench/stopwatch.py` alone.

It is started by path with the interpreter of a side, which need not have pinchpoint. It collects the tests once, and
then forks a process for each measurement (or becomes it, where threads forbid a fork). It answers on a socket:

    {"do": "list"}, with a file: {"tests": [{"id", "marker", "unnamed"}, ...], "errors": [...], "forks": true} -> {}
    {"do": "fork", "test": ID}, with the child's stdin, stdout and stderr    -> {"pid": 123}
    {"do": "become", "test": ID}, with the same -> {"pid": its own}: it runs the test itself, and ends
    {"do": "reap", "pid": 123}            -> {"code": 0}

What the process of a measurement says to the parent is told in `pinchpoint_handed`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

FIXTURES = ("benchmark", "pinchpoint")
#: Whose fixtures of these names are replaced: a test suite's own are left alone.
_PLUGINS = ("pytest_benchmark.plugin", "bench.pytest_plugin", __name__)
#: What tests are handed in place of the fixtures, from beside this script; its name is none that a user's module has.
HANDED = importlib.import_module("pinchpoint_handed")


class Server:
    """A plugin of pytest that serves requests in place of running the collected tests."""

    def __init__(self, channel: socket.socket, at_rest: int) -> None:
        self._channel = channel
        self._at_rest = at_rest
        self._handed: Any = None
        self.errors: list[str] = []

    @pytest.fixture
    def benchmark(self) -> Any:
        """For an environment without pytest-benchmark."""
        return self._handed

    pinchpoint = benchmark

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """Ours in place of the plugins' own."""
        module = getattr(fixturedef.func, "__module__", "") or ""
        if fixturedef.argname in FIXTURES and module in _PLUGINS:
            fixturedef.cached_result = (self._handed, fixturedef.cache_key(request), None)
            return self._handed
        return None

    def pytest_configure(self, config: Any) -> None:
        """The marker may be unknown in this environment."""
        config.addinivalue_line("markers", "pinchpoint(budget, limit, inconclusive): how pinchpoint judges this test")

    def pytest_collectreport(self, report: Any) -> None:
        """What cannot be collected is told, not passed over."""
        if report.failed:
            self.errors.append(f"{report.nodeid}: {reason(report.longrepr)}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> NoReturn:
        """Serve until the parent is gone, in place of running tests the usual way."""
        tests = {item.nodeid: item for item in session.items if set(FIXTURES) & set(getattr(item, "fixturenames", ()))}
        gc.collect()
        gc.freeze()  # a collection in a child would touch, and so copy, every page that holds an object
        serve(self._channel, self.errors, tests, self._run, forks=threads() <= self._at_rest)
        os._exit(0)  # no report of a session that ran nothing is written

    def _run(self, item: Any, descriptors: Sequence[int]) -> None:
        """Run one test, and end without coming back: nothing that pytest does at its end belongs to a measurement."""
        from _pytest.runner import runtestprotocol

        try:
            die_with_parent()
            os.dup2(descriptors[2], 2)
            os.dup2(descriptors[2], 1)
            parent = HANDED.Parent(*descriptors[:2])
            self._handed = HANDED.handed(parent)
            reports = runtestprotocol(item, log=False, nextitem=None)
            unwell = [r for r in reports if r.failed] or [r for r in reports if r.skipped]
            outcome = unwell[0].outcome if unwell else "passed"
            said = reason(unwell[0].longrepr) if unwell else ""
            with contextlib.suppress(OSError):  # the parent may have heard enough
                parent.tell({"ended": outcome, "said": said, "extra_info": self._handed.counts()})
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - its last words, as the interpreter would write them
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(1)


def serve(
    channel: socket.socket,
    errors: Sequence[str],
    tests: Mapping[str, Any],
    run: Callable[[Any, Sequence[int]], None],
    *,
    forks: bool,
) -> None:
    """Answer requests until the other end closes. `run` does not come back."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1 << 16, 3)
        if not message:
            return
        request = json.loads(message)
        answer: dict[str, Any] = {}
        if request["do"] == "list":
            listed = [{"id": name, **marked(item)} for name, item in tests.items()]
            found = {"tests": listed, "errors": list(errors), "forks": forks}
            with open(descriptors[0], "w", encoding="utf-8", closefd=False) as file:
                json.dump(found, file)
        elif request["do"] == "reap":
            _, status = os.waitpid(request["pid"], 0)
            answer = {"code": os.waitstatus_to_exitcode(status)}
        elif request["do"] == "become":
            channel.send(json.dumps({"pid": os.getpid()}).encode())
            run(tests[request["test"]], descriptors)
        else:
            pid = os.fork()
            if pid == 0:
                channel.close()
                os.setpgid(0, 0)
                run(tests[request["test"]], descriptors)
            answer = {"pid": pid}
        for descriptor in descriptors:
            os.close(descriptor)
        channel.send(json.dumps(answer).encode())


def threads() -> int:
    """How many threads this process has: a fork loses all but one, and those that wait for another deadlock."""
    return len(list(Path("/proc/self/task").iterdir()))


def threads_at_rest() -> int:
    """As many as there are once numpy is imported: its OpenBLAS starts some at once, and restores them after a fork.

    Any more were started by what was collected, such as a parallel product of torch at the top of a test's file.
    """
    if importlib.util.find_spec("numpy"):
        importlib.import_module("numpy")
    return threads()


def marked(item: Any) -> dict[str, Any]:
    """What the marker `pinchpoint` asks for, as the user wrote it: the parent reads it, and refuses what is wrong."""
    mark = item.get_closest_marker("pinchpoint")
    if mark is None:
        return {"marker": {}, "unnamed": []}
    plain = {name: each if isinstance(each, (str, int, float)) else repr(each) for name, each in mark.kwargs.items()}
    return {"marker": plain, "unnamed": [str(each) for each in mark.args]}


def reason(told: object) -> str:
    """What pytest tells of a failure in one line: of a traceback what it marks by an E, of a skipped test the last of
    three parts."""
    return _last_line(str(told[-1] if isinstance(told, tuple) else told))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    traced = [line[1:].strip() for line in lines if line.startswith("E ")]
    errors = [line for line in lines if "error: " in line.lower()]
    return (*traced[:1], *errors[-1:], *lines[-1:], "no reason was given")[0][:300]


def complaint(code: int) -> str:
    """Why pytest ended without serving; it wrote that to our output, a file that the parent has opened."""
    sys.stdout.flush()
    sys.stderr.flush()
    said = os.pread(1, 1 << 16, 0).decode(errors="replace")
    return f"pytest ended with exit code {code}: {_last_line(said)}"


def die_with_parent() -> None:
    """Be killed when the process that started this one ends (Linux only)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, <linux/prctl.h>


#: Options that would slow a test down, time it out or run it elsewhere, by the plugin that must be there to know them.
_QUIETED = {"xdist": ["-n", "0"], "pytest_cov": ["--no-cov"], "pytest_timeout": ["--timeout=0"]}


def main() -> None:
    """`pytest_child.py SOCKET ARGUMENT...`: collect these tests and serve."""
    die_with_parent()
    sys.path[0] = str(Path.cwd())  # as `python -m pytest` does, and nothing of ours is found by its short name
    loaded = [] if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") else filter(importlib.util.find_spec, _QUIETED)
    quieted = [option for name in loaded for option in _QUIETED[name]]
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        # Our own plugin is not asked for: what stands here takes its place, and an editable install is not seen here.
        arguments = ["-p", "no:pinchpoint", "--capture=no", "-q", *quieted, *sys.argv[2:]]
        server = Server(channel, threads_at_rest())
        code = int(pytest.main(arguments, plugins=[server]))
        # Nothing was collected, or it would not have come back: whoever asks is told.
        serve(channel, server.errors or [complaint(code)], {}, lambda *_: None, forks=True)


if __name__ == "__main__":
    main()
