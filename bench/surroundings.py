"""What runs beside a diagnosed point: processes that load or slow the machine, and one that looks at its resources."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict

from bench.antagonist import Antagonist
from bench.clock_guard import ClockGuard
from bench.executors.forking import Nursery
from bench.executors.local import Child, ChildFailed
from bench.interventions import Change, Conditions, Lowered, Setting


class Surroundings:
    """Started when they are first needed, and again where they were lost; `close` ends them all.

    Raises `ChildFailed` where one of them is gone.
    """

    def __init__(self, setting: Setting, nursery: Nursery | None, limit_s: float) -> None:
        self._setting, self._nursery, self._limit_s = setting, nursery, limit_s
        self._antagonists: dict[str, Antagonist] = {}
        self._guard: ClockGuard | None = None
        self._gauges: Child | None = None

    @contextmanager
    def changed(self, change: Change) -> Iterator[Mapping[str, float]]:
        """While the antagonist of the change works, or what it lowers is lowered.

        Yields ln(rate with / rate without) of what was set, where that is known and need not be gauged. Raises
        `Unsupported` where the GPU does not let itself be changed.
        """
        if change.antagonist is not None:
            if change.antagonist not in self._antagonists:
                self._antagonists[change.antagonist] = Antagonist(change.antagonist, self._setting.cores[-1])
            with self._antagonists[change.antagonist].wanted():
                yield {}
        elif change.lowered is not None:
            with self._lowered(change.lowered) as share:
                yield {"power or thermal": math.log(share)} if change.lowered.what == "power" else {}
        else:
            yield {}

    @contextmanager
    def _lowered(self, wanted: Lowered) -> Iterator[float]:
        self._guard = self._guard or ClockGuard(wanted.gpu)
        try:
            with self._guard.lowered(wanted.what, wanted.share) as share:
                yield share
        except ChildFailed:  # perhaps of the guard itself: the next one undoes at once what that has left
            self._guard.close()
            self._guard = ClockGuard(wanted.gpu)
            raise

    def rates(self, under: Conditions) -> dict[str, float]:
        """Work a second that each resource gives now (`bench.gauges`), in a child of its own."""
        device = self._setting.device.split()[0]
        request = {"do": "gauge", "device": device, "threads": self._setting.threads, "under": asdict(under)}
        try:
            if self._gauges is None:
                self._gauges = Child(self._nursery)
                self._gauges.ask(None, self._limit_s)
            rates: dict[str, float] = self._gauges.ask(request, self._limit_s)["rates"]
        except ChildFailed:
            if self._gauges is not None:
                self._gauges.kill()
            self._gauges = None
            raise
        return rates

    def close(self) -> None:
        """End every process, and undo what is lowered."""
        for antagonist in self._antagonists.values():
            antagonist.close()
        if self._gauges is not None:
            self._gauges.kill()
        if self._guard is not None:
            self._guard.close()
