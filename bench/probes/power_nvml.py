"""Power, energy, clocks, temperature and throttling of an NVIDIA GPU over a block, through NVML.

A thread polls the GPU beside the block. Average power comes from the energy counter, taken between its own ticks; the
integrated power reading stands beside it, since the two have been seen to differ: then the reader is warned. What is
read is the board's power as the driver tells it, not the power at the wall.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from bench import gpu_sampler, nvml, power_trace
from bench.errors import Unsupported
from bench.gpu_sampler import Sampler, Seen
from bench.power_trace import Estimate, Poll
from bench.probes import Probe
from bench.record import MetricInfo, Warn

#: Beyond this the counter and the integrated power cannot both be right.
_DISAGREEMENT = 0.05
#: What the ends of the window may leave uncertain before the reader is told: the error that is promised.
_TIMING_ERROR = 0.01
#: A GPU is slowed now and then without harm to an average.
_THROTTLED_SHARE = 0.05

_PROVIDES = {
    "avg_power_W": MetricInfo("W", -1, "average power"),
    "integrated_power_W": MetricInfo("W", -1, "average power, integrated from readings"),
    "power_from_counter": MetricInfo("", 0, "average power is from the energy counter (1) or from readings (0)"),
    "power_samples": MetricInfo("", 0, "refreshes of the meter behind the average power"),
    "power_window_s": MetricInfo("s", 0, "time that the average power is over"),
    "gpu_utilization": MetricInfo("", 0, "share of time with a kernel running"),
    "sm_clock_Hz": MetricInfo("Hz", 0, "clock of the multiprocessors"),
    "memory_clock_Hz": MetricInfo("Hz", 0, "clock of the memory"),
    "temperature_C": MetricInfo("°C", 0, "highest temperature", combine="max"),
    "throttled_share": MetricInfo("", -1, "share of time throttled", combine="max"),
}


def estimate(seen: Seen) -> tuple[Estimate | None, Estimate | None]:
    """Average power by the counter, and by integration over the same window (all of it where the counter has none)."""
    counter = power_trace.from_counter(seen.polls.get("energy", ()))
    start_s, end_s = (counter.start_s, counter.end_s) if counter else (-math.inf, math.inf)
    return counter, power_trace.from_power(seen.polls.get("power", ()), start_s, end_s, seen.averaging_s)


def readings(seen: Seen) -> dict[str, float]:
    """The values by name; nothing where the GPU was lost, since they would describe a part of the block."""
    if seen.lost:
        return {}
    found = {name: seen.mean(name) for name in _PROVIDES if name in seen.polls}
    if "temperature_C" in found:
        found["temperature_C"] = max(poll.value for poll in seen.polls["temperature_C"])
    counter, integrated = estimate(seen)
    if integrated:
        found["integrated_power_W"] = integrated.watts
    if best := counter or integrated:
        found["avg_power_W"] = best.watts
        found["power_from_counter"] = float(counter is not None)
        found["power_samples"] = float(best.samples)
        found["power_window_s"] = best.window_s
    return found


def judge(seen: Seen) -> list[Warn]:
    """What the reader must know of these readings."""
    if seen.lost:
        return [Warn("gpu_lost", f"{seen.lost} No reading of this block is kept.", "See dmesg for the Xid error.")]
    counter, integrated = estimate(seen)
    found = _doubts_of_counter(seen.polls.get("energy", ()), counter)
    if counter and integrated and abs(integrated.watts / counter.watts - 1) > _DISAGREEMENT:
        found.append(
            Warn(
                "meter_disagreement",
                f"The GPU's energy counter says {counter.watts:.1f} W on average, and its power reading "
                f"{integrated.watts:.1f} W over the same time.",
                "Trust neither to better than their difference; a meter at the wall decides.",
            )
        )
    throttled = seen.mean("throttled_share") if "throttled_share" in seen.polls else 0.0
    if throttled > _THROTTLED_SHARE:
        found.append(
            Warn(
                "throttled",
                f"The GPU was slowed for {throttled:.0%} of the time: {', '.join(seen.throttles)}.",
                "Compare only runs under the same power limit and cooling.",
            )
        )
    return found


def _doubts_of_counter(energy: Sequence[Poll], counter: Estimate | None) -> list[Warn]:
    """Why the average power is not from the counter, or is less exact than promised."""
    longer = "Measure for longer, with fewer other processes on the machine."
    if not energy:
        return [
            Warn(
                "no_energy_counter",
                "The GPU's energy counter does not answer; its power readings are integrated instead.",
                "Allow for an error of some percent.",
            )
        ]
    if power_trace.went_back(energy):
        return [
            Warn(
                "counter_reset",
                "The GPU's energy counter went back during the block; its power readings are integrated instead.",
                "Measure again; if it stays so, look for a driver that reloads (nvidia-persistenced keeps it loaded).",
            )
        ]
    if counter is None:
        message = (
            "The GPU's energy counter ticked less than twice in the block; its power readings are integrated instead."
        )
        return [Warn("few_edges", message, longer)]
    if counter.timing_error > _TIMING_ERROR:
        message = (
            f"The ticks of the GPU's energy counter were seen late; its power may be off by {counter.timing_error:.1%}."
        )
        return [Warn("few_edges", message, longer)]
    return []


class PowerNvml(Probe):
    """`device` is what torch calls the GPU; the block around which it reads lasts at least `window_s`."""

    provides: Mapping[str, MetricInfo] = _PROVIDES

    def __init__(self, device: str, window_s: float = 5.0) -> None:
        self.window_s = window_s
        self._device = device
        self._open = ExitStack()
        self._sampler: Sampler | None = None
        self._failure = ""
        self.seen: Seen | None = None

    def unavailable(self) -> str | None:
        """Why no power can be read: no NVIDIA GPU, no library, or neither energy nor power is answered."""
        try:
            with nvml.gpu(self._device) as gpu:
                if not gpu_sampler.answering({"energy": gpu.energy_joules, "power": gpu_sampler.power_query(gpu)[0]}):
                    return "This GPU or its driver tells neither energy nor power."
        except (Unsupported, nvml.GpuLost) as reason:
            return str(reason)
        return None

    def __enter__(self) -> Self:
        """Open the library and start polling; a GPU that is gone by now is told in `warnings`, not raised."""
        self.seen, self._sampler, self._failure = None, None, ""
        try:
            self._sampler = Sampler(self._open.enter_context(nvml.gpu(self._device)))
        except (Unsupported, nvml.GpuLost) as failure:
            self._failure = str(failure)
            self._open.close()
        else:
            self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop polling and close the library."""
        if self._sampler:
            self.seen = self._sampler.stop()
            self._sampler = None
        self._open.close()

    def read(self) -> dict[str, float]:
        """The last block's values; what this GPU does not tell is absent."""
        return readings(self.seen) if self.seen else {}

    def warnings(self) -> list[Warn]:
        """Doubts about the last block's values."""
        if self._failure:
            return [Warn("gpu_lost", f"The GPU could not be read: {self._failure}", "See `pinchpoint doctor`.")]
        return judge(self.seen) if self.seen else []


def probe(device: str) -> PowerNvml:
    """Reads the GPU that torch calls `device`."""
    return PowerNvml(device)
