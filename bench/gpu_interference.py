"""What disturbed a block on a GPU: its clock, its temperature, and other processes on it.

A block during which the GPU ran too slowly is discarded and repeated after a pause, as nvbench does (its options
`--throttle-threshold`, by default 75 % of the default clock, and `--throttle-recovery-delay`, 0.05 s). It has
watched a real H100 that ran undisturbed; throttling it has met as a double of NVML only, through the real pynvml.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from bench import neighbours, nvml
from bench.errors import Unsupported
from bench.record import MetricInfo, Warn

#: nvbench's threshold and pause.
LOWEST_CLOCK = 0.75
PAUSE_S = 0.05
#: A GPU that is still slow after so many pauses, half a second of them, will not recover by waiting.
MOST_DISCARDED = 10

#: What of a block's readings stands in a record for everyone to see.
PROVIDES = {
    "timed_sm_clock_Hz": MetricInfo("Hz", 0, "clock of the multiprocessors after a timed block"),
    "timed_temperature_C": MetricInfo("°C", 0, "highest temperature after a timed block", combine="max"),
}

T = TypeVar("T")


class GpuWatch:
    """Watches the GPU that torch calls `device`, for as long as the process lives. Without NVML it sees nothing."""

    def __init__(self, device: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._gpu: nvml.Gpu | None = None
        self._usual_Hz: float | None = None
        self._open = ExitStack()  # the library is left open: opening it takes as long as a block
        try:
            self._gpu = self._open.enter_context(nvml.gpu(device))
            self._usual_Hz = self._gpu.usual_sm_clock_hertz()
        except (Unsupported, nvml.GpuLost):
            pass

    def undisturbed(self, measure: Callable[[], T]) -> tuple[T, dict[str, float], list[Warn]]:
        """What `measure` gives, again while the clock is too low just after it; readings, and warnings.

        The clock is read after the block, since an idle GPU lowers it by itself.
        """
        discarded = 0
        found = measure()
        clock_Hz = self._clock_Hz()
        while self._too_slow(clock_Hz) and discarded < MOST_DISCARDED:
            discarded += 1
            self._pause(PAUSE_S)
            found = measure()
            clock_Hz = self._clock_Hz()
        others = self._others()
        readings = {
            "timed_sm_clock_Hz": clock_Hz,
            "timed_temperature_C": self._told(lambda gpu: gpu.temperature_celsius()),
            "discarded_blocks": float(discarded),
            "foreign_gpu_processes": others,
        }
        told = {name: value for name, value in readings.items() if value is not None}
        return found, told, self._warnings(clock_Hz, others)

    def _warnings(self, clock_Hz: float | None, others: float | None) -> list[Warn]:
        found = []
        if clock_Hz is not None and self._usual_Hz is not None and self._too_slow(clock_Hz):
            reasons = self._told(lambda gpu: ", ".join(gpu.throttles())) or "it gives no reason"
            found.append(
                Warn(
                    "gpu_throttled",
                    f"The GPU ran at {clock_Hz / self._usual_Hz:.0%} of its default clock ({reasons}), also after "
                    f"{MOST_DISCARDED} pauses.",
                    "Cool it, raise its power limit, or lock its clock: sudo nvidia-smi --lock-gpu-clocks.",
                )
            )
        if others:
            found.append(
                Warn(
                    "foreign_gpu_process",
                    f"{others:g} other processes hold memory of the GPU, and may compute on it.",
                    "See them with nvidia-smi, and end them or choose another GPU with --device.",
                )
            )
        return found

    def _clock_Hz(self) -> float | None:
        return self._told(lambda gpu: gpu.sm_clock_hertz())

    def _too_slow(self, clock_Hz: float | None) -> bool:
        return clock_Hz is not None and self._usual_Hz is not None and clock_Hz < LOWEST_CLOCK * self._usual_Hz

    def _others(self) -> float | None:
        """How many processes on the GPU are not of this sweep; None where they are not told, or numbered otherwise.

        In a container NVML may give the numbers that processes have outside it: then our own is not among them.
        """
        pids = self._told(lambda gpu: set(gpu.process_memory_bytes()))
        if pids is None or os.getpid() not in pids:
            return None
        others = pids - {os.getpid()}
        return float(len(others - neighbours.family(neighbours.census(), os.getpid()))) if others else 0.0

    def _told(self, query: Callable[[nvml.Gpu], T]) -> T | None:
        try:
            return None if self._gpu is None else query(self._gpu)
        except (Unsupported, nvml.GpuLost):
            return None
