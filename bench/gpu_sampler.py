"""A thread that polls a GPU beside a block: energy and power often, the slow readings ten times a second."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import fmean

from bench import nvml
from bench.errors import Unsupported
from bench.power_trace import Poll

Queries = Mapping[str, Callable[[], float]]

#: Ticks come every 100 ms. Polling every 5 ms dates one to about 5 ms, 0.1 % of a window of 5 s.
_PERIOD_S = 0.005
#: Utilization, clocks, temperature and throttling change slowly.
_SLOW_PERIOD_S = 0.1


@dataclass(frozen=True)
class Seen:
    """What was polled over a block, by name: `energy` in J, `power` in W, the others as in `provides`."""

    polls: Mapping[str, Sequence[Poll]]
    averaging_s: float
    throttles: Sequence[str]
    lost: str | None

    def mean(self, name: str) -> float:
        """Mean of the polled values."""
        return fmean(poll.value for poll in self.polls[name])


class Sampler(threading.Thread):
    """Polls one GPU until it is stopped or the GPU is lost. What does not answer at first is not asked again."""

    def __init__(self, gpu: nvml.Gpu) -> None:
        super().__init__(name="power_nvml", daemon=True)
        self._gpu = gpu
        self._stopped = threading.Event()
        self._polls: dict[str, list[Poll]] = {}
        self._throttles: set[str] = set()
        self._lost: str | None = None
        power, self._averaging_s = power_query(gpu)
        self._fast = answering({"energy": gpu.energy_joules, "power": power})
        self._slow = answering(
            {
                "gpu_utilization": gpu.utilization,
                "sm_clock_Hz": gpu.sm_clock_hertz,
                "memory_clock_Hz": gpu.memory_clock_hertz,
                "temperature_C": gpu.temperature_celsius,
                "throttled_share": self._throttled,
            }
        )

    def run(self) -> None:
        """Poll at both paces."""
        slow_due = 0.0
        try:
            while not self._stopped.is_set():
                self._poll(self._fast)
                if time.perf_counter() >= slow_due:
                    self._poll(self._slow)
                    slow_due = time.perf_counter() + _SLOW_PERIOD_S
                self._stopped.wait(_PERIOD_S)
        except nvml.GpuLost as lost:
            self._lost = str(lost)

    def stop(self) -> Seen:
        """End the thread, and say what it saw."""
        self._stopped.set()
        self.join()
        return Seen(self._polls, self._averaging_s, sorted(self._throttles), self._lost)

    def _poll(self, queries: Queries) -> None:
        for name, query in queries.items():
            asked_s = time.perf_counter()
            try:
                value = query()
            except Unsupported:
                continue  # it answered before: this poll is lost, the edges around it are only less sharp
            self._polls.setdefault(name, []).append(Poll(asked_s, time.perf_counter(), value))

    def _throttled(self) -> float:
        words = self._gpu.throttles()
        self._throttles.update(words)
        return float(bool(words))


def power_query(gpu: nvml.Gpu) -> tuple[Callable[[], float], float]:
    """The best power reading and the time that it averages over: of the moment where the driver tells it."""
    try:
        gpu.instant_power_watts()
    except Unsupported:
        pass
    else:
        return gpu.instant_power_watts, 0.0
    return gpu.power_watts, gpu.power_averaging_seconds()


def answering(queries: Queries) -> Queries:
    """Those of the queries that this GPU and driver answer."""
    found = {}
    for name, query in queries.items():
        with suppress(Unsupported):
            query()
            found[name] = query
    return found
