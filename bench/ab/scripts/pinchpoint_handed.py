"""What stands for the fixtures `benchmark` and `pinchpoint` while a test is measured: it hands the call to the parent.

-> {"ready": true} once the test calls it; then for each line of the parent
{"do": "block", "iterations": 10}     -> {"samples_ns": [...]}
{"do": "peak", "iterations": 10}      -> {"max_ram_B": ...} or {"unread": REASON}: the peak over these iterations;
                                         {"overhead_s": ...}: how much of an iteration is reading the clock
{"do": "finish"}                      -> the call returns its result, and the test goes on to its end
-> {"ended": "passed" | "failed" | "skipped", "said": "...", "extra_info": {NAME: whole number}} at last
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import json
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def _stopwatch() -> Any:
    """The module `bench.stopwatch` by its path: importing `bench` would need pinchpoint, or find another version."""
    path = Path(__file__).resolve().parents[2] / "stopwatch.py"
    spec = importlib.util.spec_from_file_location("pinchpoint_stopwatch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


STOPWATCH = _stopwatch()


class Parent:
    """The two pipes to whoever measures."""

    def __init__(self, wishes: int, answers: int) -> None:
        self._wishes = os.fdopen(wishes, "r", encoding="utf-8")
        self._answers = os.fdopen(answers, "w", encoding="utf-8")

    def tell(self, content: Mapping[str, Any]) -> None:
        """Answer with a line."""
        self._answers.write(json.dumps(content) + "\n")
        self._answers.flush()

    def wishes(self) -> Iterator[dict[str, Any]]:
        """Its requests, until it closes the pipe."""
        for line in self._wishes:
            yield json.loads(line)


class Handed:
    """Stands for pytest-benchmark's fixture, or for pinchpoint's: whoever calls it is measured by the parent."""

    disabled, enabled = False, True

    def __init__(self, parent: Parent) -> None:
        self._parent = parent
        self.called = False
        self.extra_info: dict[str, Any] = {}
        self.group = self.name = self.param = self.params = self.stats = None

    def __call__(self, function: Callable[..., Any], /, *args: Any, against: object = None, **kwargs: Any) -> Any:
        """Measure the call, and return its result. `against` is for measurements within one process."""
        del against
        return self._measured(function, lambda: function(*args, **kwargs))

    def pedantic(
        self,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        """As pytest-benchmark has it: `setup` and `teardown` run around each iteration, and are not timed."""
        given: list[Any] = [args, kwargs or {}]

        def before() -> None:
            found = setup() if setup is not None else None
            if found is not None:
                given[:] = found

        def after() -> None:
            if teardown is not None:
                teardown(*given[0], **given[1])

        around = (before, after) if setup is not None or teardown is not None else None
        return self._measured(target, lambda: target(*given[0], **given[1]), around)

    def counts(self) -> dict[str, int]:
        """The whole numbers of `extra_info`, which are kept with the times: what a test counted tells what it did."""
        return {str(name): value for name, value in self.extra_info.items() if type(value) is int}

    def weave(self, *_: Any, **__: Any) -> None:
        """Refused."""
        raise RuntimeError("pinchpoint cannot measure benchmark.weave or patch: call the function itself.")

    patch = weave

    def _measured(
        self,
        function: Callable[..., Any],
        step: Callable[[], Any],
        around: tuple[Callable[[], None], Callable[[], None]] | None = None,
    ) -> Any:
        if self.called:
            raise RuntimeError("The fixture was called twice in one test; call it once.")
        if inspect.iscoroutinefunction(function):
            raise TypeError("Calling a coroutine function does none of its work: measure lambda: asyncio.run(work()).")
        self.called = True
        before, after = around or (lambda: None, lambda: None)

        def block(iterations: int) -> list[int]:
            samples: list[int] = []
            if around is None:
                samples = STOPWATCH.time_iterations(step, iterations)
            else:
                for _ in range(iterations):
                    before()
                    samples += STOPWATCH.time_iterations(step, 1)
                    after()
            return samples

        self._parent.tell({"ready": True})
        for wish in self._parent.wishes():
            if wish["do"] == "block":
                self._parent.tell({"samples_ns": block(wish["iterations"])})
            elif wish["do"] == "peak":
                self._parent.tell(peak(block, wish["iterations"]) | {"overhead_s": overhead_s()})
            else:
                break
        before()
        result = step()
        after()
        return result


def handed(parent: Parent) -> Handed:
    """The stand-in. Where pytest-benchmark is installed it is one of its fixtures too, as its plugin insists."""
    kinds: tuple[type, ...] = (Handed,)
    with contextlib.suppress(ImportError):
        kinds += (importlib.import_module("pytest_benchmark.fixture").BenchmarkFixture,)
    made: Handed = type("Handed", kinds, {})(parent)
    return made


def overhead_s() -> float:
    """What an iteration that does nothing takes, in seconds."""
    samples: list[int] = STOPWATCH.time_iterations(lambda: None, 1000)
    return statistics.median(samples) * 1e-9


def peak(block: Callable[[int], object], iterations: int) -> dict[str, Any]:
    """The most memory that this process held meanwhile (VmHWM, which writing 5 to clear_refs sets back; proc(5))."""
    try:
        Path("/proc/self/clear_refs").write_bytes(b"5")
    except OSError as error:
        return {"unread": f"The peak of the memory cannot be read here: {error}."}
    block(iterations)
    _, _, rest = Path("/proc/self/status").read_bytes().partition(b"VmHWM:")
    return {"max_ram_B": int(rest.split(maxsplit=1)[0]) * 1024}
