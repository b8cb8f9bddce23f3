"""A thread that polls a meter beside a block: energy and power often, the slow readings ten times a second."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import fmean

from bench.errors import Unsupported
from bench.power_trace import Poll

Queries = Mapping[str, Callable[[], float]]

#: Ticks come every 1 ms (RAPL) to 100 ms (NVML). Polling every 5 ms dates one to about 5 ms, 0.1 % of a window of 5 s.
_PERIOD_S = 0.005
#: Utilization, clocks, temperature and throttling change slowly.
_SLOW_PERIOD_S = 0.1


class MeterLost(Exception):  # noqa: N818 - a state of the device, as in NVML_ERROR_GPU_IS_LOST
    """The device went away while it was read; the text says so."""


@dataclass(frozen=True)
class Meter:
    """What an open meter can be asked: `fast` for energy in J and power in W, `slow` for what changes slowly.

    A query raises `Unsupported` where it has no answer, and `MeterLost` where there will be none any more.
    """

    fast: Queries
    slow: Queries = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What was polled, by the name of its query, between two instants of `time.perf_counter`."""

    polls: Mapping[str, Sequence[Poll]]
    began_s: float
    ended_s: float
    lost: str | None = None

    def of(self, name: str) -> Sequence[Poll]:
        """The polls of a query; empty where it never answered."""
        return self.polls.get(name, ())

    def values(self, name: str) -> list[float]:
        """The polled values of a query; empty where it never answered."""
        return [poll.value for poll in self.of(name)]

    def means(self, names: Sequence[str]) -> dict[str, float]:
        """Mean values of those of the queries that answered."""
        return {name: fmean(self.values(name)) for name in names if name in self.polls}


class Sampler(threading.Thread):
    """Polls a meter until it is stopped or the device is lost. What does not answer at first is not asked again."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(name="power_sampler", daemon=True)
        self._stopped = threading.Event()
        self._polls: dict[str, list[Poll]] = {}
        self._lost: str | None = None
        self._fast, self._slow = answering(meter.fast), answering(meter.slow)
        self._began_s = time.perf_counter()

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
        except MeterLost as lost:
            self._lost = str(lost)

    def stop(self) -> Seen:
        """End the thread, and say what it saw."""
        ended_s = time.perf_counter()
        self._stopped.set()
        self.join()
        return Seen(self._polls, self._began_s, ended_s, self._lost)

    def _poll(self, queries: Queries) -> None:
        for name, query in queries.items():
            asked_s = time.perf_counter()
            try:
                value = query()
            except Unsupported:
                continue  # it answered before: this poll is lost, the edges around it are only less sharp
            self._polls.setdefault(name, []).append(Poll(asked_s, time.perf_counter(), value))


def answering(queries: Queries) -> Queries:
    """Those of the queries that this device and driver answer."""
    found = {}
    for name, query in queries.items():
        with suppress(Unsupported):
            query()
            found[name] = query
    return found
