"""What runs beside a diagnosed point: the processes that load the machine, and the one that looks at its resources."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict

from bench.antagonist import Antagonist
from bench.executors.forking import Nursery
from bench.executors.local import Child, ChildFailed
from bench.interventions import Change, Conditions, Setting


class Surroundings:
    """Started when they are first needed, and again where they were lost; `close` ends them all.

    Raises `ChildFailed` where one of them is gone.
    """

    def __init__(self, setting: Setting, nursery: Nursery | None, limit_s: float) -> None:
        self._setting, self._nursery, self._limit_s = setting, nursery, limit_s
        self._antagonists: dict[str, Antagonist] = {}
        self._gauges: Child | None = None

    def loaded(self, change: Change) -> AbstractContextManager[None]:
        """While the antagonist of the change works, if it has one."""
        if change.antagonist is None:
            return nullcontext()
        if change.antagonist not in self._antagonists:
            self._antagonists[change.antagonist] = Antagonist(change.antagonist, self._setting.cores[-1])
        return self._antagonists[change.antagonist].wanted()

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
        """End every process."""
        for antagonist in self._antagonists.values():
            antagonist.close()
        if self._gauges is not None:
            self._gauges.kill()
