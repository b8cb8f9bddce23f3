"""A side whose benchmarks are a user's own tests: those that use `benchmark` (pytest-benchmark) or `pinchpoint`."""

import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import pytest_marker
from bench.ab.layout import alike
from bench.ab.pairs import OVERHEAD
from bench.ab.source import MOST_ITERATIONS, Benchmark
from bench.errors import UserError
from bench.executors.forking import ForkServer, Launch
from bench.executors.local import ChildFailed, Conversation
from bench.warmup import warm_up

_SCRIPT = Path(__file__).parent / "scripts" / "pytest_child.py"
#: Before each block the work runs untimed for so long: caches are warm again after the other side's turn. Work whose
#: iterations take longer than the second figure does without.
_LEAD_IN_S, _NO_LEAD_IN_S = 0.005, 0.2


class _Collected(ForkServer):
    """A process that has collected the tests."""

    def __init__(self, launch: Launch, arguments: Sequence[str], limit_s: float) -> None:
        super().__init__(launch, [str(_SCRIPT), self.SOCKET, *arguments], limit_s)

    def listed(self) -> dict[str, Any]:
        """What it found: `tests`, `errors`, and whether it `forks`. Raises OSError where it is gone."""
        with tempfile.TemporaryFile() as file:
            self.ask({"do": "list"}, [file.fileno()])
            file.seek(0)
            found: dict[str, Any] = json.load(file)
        return found


class RunningTest:
    """A process in which one test has called its fixture, and waits there."""

    def __init__(self, conversation: Conversation, limit_s: float, server: _Collected | None) -> None:
        self._conversation, self._limit_s, self._server = conversation, limit_s, server
        self._iteration_s = math.inf

    def warm_up(self, limit_s: float) -> float:
        """Call it until it is steady, for `limit_s` seconds at most; how many seconds a call takes."""
        self._iteration_s = warm_up(self._samples, limit_s).iteration_s
        return self._iteration_s

    def block(self, iterations: int) -> list[int]:
        """The durations of so many calls, in ns, without those of the lead-in before them."""
        short = self._iteration_s < _NO_LEAD_IN_S
        lead_in = math.ceil(_LEAD_IN_S / max(self._iteration_s, 1e-9)) if short else 0
        return self._samples(min(lead_in, MOST_ITERATIONS) + iterations)[min(lead_in, MOST_ITERATIONS) :]

    def _samples(self, iterations: int) -> list[int]:
        samples: list[int] = self._ask({"do": "block", "iterations": iterations})["samples_ns"]
        return samples

    def peak(self, iterations: int) -> dict[str, float]:
        """`max_ram_B`, the peak of the resident memory, where it can be read; `overhead_s`, the clock's part."""
        answer = self._ask({"do": "peak", "iterations": iterations})
        return {name: float(answer[name]) for name in ("max_ram_B", OVERHEAD) if name in answer}

    def finish(self) -> dict[str, int]:
        """Let the test go on to its end. Raises `ChildFailed` where it fails there."""
        answer = self._ask({"do": "finish"})
        if answer.get("ended") != "passed":
            raise _failed(answer)
        counts: dict[str, int] = answer.get("extra_info") or {}
        return counts

    def close(self) -> None:
        """End the process, and with it one that was started for it alone."""
        self._conversation.kill()
        if self._server is not None:
            self._server.close()

    def _ask(self, request: dict[str, Any] | None) -> dict[str, Any]:
        answer = self._conversation.ask(request, self._limit_s)
        if "ended" in answer and (request is None or request["do"] != "finish"):
            raise _failed(answer)
        return answer

    def wait(self) -> None:
        """Until the test has called its fixture. Raises `ChildFailed` where it ends without."""
        self._ask(None)


def _failed(answer: dict[str, Any]) -> ChildFailed:
    if answer["ended"] == "skipped":
        return ChildFailed("unsupported", f"the test was skipped: {answer['said']}")
    if answer["ended"] == "passed":
        return ChildFailed("unsupported", "the test never called its fixture")
    return ChildFailed("crashed", f"the test failed: {answer['said']}")


class Tests:
    """The tests that pytest collects from `arguments` in the environment of `launch`.

    They are collected once, and each measurement is forked from there. Where collecting has started threads, which a
    fork would lose, each measurement starts Python and collects for itself, which takes longer.
    """

    def __init__(self, name: str, launch: Launch, arguments: Sequence[str], limit_s: float) -> None:
        self._name, self._launch, self._arguments, self._limit_s = name, launch, list(arguments), limit_s
        self.uncollected: tuple[str, ...] = ()
        self._server: _Collected | None = None
        self._forks = True
        self._seed = 0

    def benchmarks(self) -> dict[str, Benchmark]:
        """The tests that use a fixture of ours or of pytest-benchmark.

        Raises `UserError` where none could be collected, or where the marker of one cannot be read.
        """
        self._server = self._server or self._collecting()
        try:
            found = self._server.listed()
        except OSError as error:
            raise UserError(
                f"pytest does not start on the side '{self._name}': {error}.",
                f"Try it there: {self._launch.python} -m pytest {' '.join(self._arguments)}",
            ) from error
        self.uncollected = tuple(found["errors"])
        if found["errors"] and not found["tests"]:
            raise UserError(
                f"pytest can collect nothing on the side '{self._name}': {found['errors'][0]}.",
                f"Try it there: {self._launch.python} -m pytest {' '.join(self._arguments)}",
            )
        self._forks = bool(found["forks"])
        if not self._forks:
            self._close_server()
        return {each["id"]: _benchmark(each) for each in found["tests"]}

    def start(self, benchmark: str) -> RunningTest:
        """A fresh process in which the test waits at its fixture. Raises `ChildFailed` where it does not get there."""
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the conversation
        own: _Collected | None = None
        try:
            if self._forks:
                self._server = self._server or self._collecting()
                process = self._server.fork({"do": "fork", "test": benchmark}, errors.fileno())
            else:
                own = self._collecting()
                process = own.fork({"do": "become", "test": benchmark}, errors.fileno())
        except OSError as error:
            errors.close()
            if own is not None:
                own.close()
            raise ChildFailed("crashed", f"no process could be started for it: {error}") from error
        running = RunningTest(Conversation(process, errors), self._limit_s, own)
        try:
            running.wait()
        except ChildFailed:
            running.close()
            raise
        return running

    def renew(self, seed: int) -> None:
        """Collect anew; both sides do so at the same time, since nobody waits here."""
        self._close_server()
        self._seed = seed
        if self._forks:
            self._server = self._collecting()

    def _collecting(self) -> _Collected:
        return _Collected(alike(self._launch, self._seed), self._arguments, self._limit_s)

    def close(self) -> None:
        """End the process that has collected, and with it every measurement that is left."""
        self._close_server()

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _benchmark(listed: dict[str, Any]) -> Benchmark:
    name, given = listed["id"], listed["marker"]
    asked = pytest_marker.read(given, name, listed["unnamed"])
    return Benchmark(
        name, name, asked.limit if "limit" in given else None, asked.budget_s if "budget" in given else None
    )
