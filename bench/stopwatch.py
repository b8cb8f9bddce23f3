"""The one timed loop of the project. Only the step stands between the two readings of the clock."""

import gc
import time
from collections.abc import Callable
from typing import Any

Step = Callable[[], object]


def time_iterations(step: Step, iterations: int) -> list[int]:
    """Run `step` that many times; the duration of each in nanoseconds.

    The collector is off meanwhile, as in `timeit`: a collection would be charged to whichever iteration it falls into.
    """
    clock = time.perf_counter_ns
    samples = [0] * iterations
    collecting = gc.isenabled()
    gc.disable()
    try:
        for i in range(iterations):
            began = clock()
            step()
            samples[i] = clock() - began
    finally:
        if collecting:
            gc.enable()
    return samples


class OnDevice:
    """Wraps a step that a CUDA device runs asynchronously: returns only when the device is done with it.

    Device events around the step give the device's own time; the wall time of the loop contains it, and the difference
    bounds what the host adds. Events are made by `prepare`, outside the timed loop.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._events: list[tuple[Any, Any]] = []
        self._next = 0
        self.prepare(1)

    def prepare(self, iterations: int) -> None:
        """Make room for the events of that many iterations; those of earlier ones are forgotten."""
        import torch

        missing = range(iterations - len(self._events))
        event = torch.cuda.Event
        self._events += [(event(enable_timing=True), event(enable_timing=True)) for _ in missing]  # type: ignore[no-untyped-call]
        del self._events[iterations:]
        self._next = 0

    def __call__(self) -> None:
        """One iteration, completed. Past the prepared ones, the oldest events are used again."""
        import torch

        start, end = self._events[self._next % len(self._events)]
        start.record()
        self._step()
        end.record()
        torch.cuda.synchronize()
        self._next += 1

    def seconds(self) -> list[float]:
        """Seconds between the events of each iteration since `prepare`."""
        return [start.elapsed_time(end) / 1e3 for start, end in self._events[: self._next]]
