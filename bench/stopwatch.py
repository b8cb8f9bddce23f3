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
    bounds what the host adds. It has met no real GPU yet.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._events: list[tuple[Any, Any]] = []

    def __call__(self) -> None:
        """One iteration, completed."""
        import torch

        start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        start.record()
        self._step()
        end.record()
        torch.cuda.synchronize()
        self._events.append((start, end))

    def take_device_s(self) -> list[float]:
        """Seconds between the events of each iteration since the last call."""
        seconds = [start.elapsed_time(end) / 1e3 for start, end in self._events]
        self._events.clear()
        return seconds
