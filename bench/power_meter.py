"""What the power probes share: a meter is watched at rest, then around a block, and judged.

The meter of the device that the model runs on tells the average power of a point, from which its energy follows:
RAPL where that is the CPU, NVML or AMD SMI where it is a GPU. A meter of another device reads under names of its own,
so that every name has one source. Prefill, decode and training are points of their own, so energy is told per phase.
"""

import sys
import time
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Self

from bench.errors import Unsupported
from bench.power_sampler import Meter, MeterLost, Sampler, Seen
from bench.power_verdict import Verdict
from bench.probes import Probe
from bench.record import MetricInfo, Warn

#: Power at rest that is less certain than this, or still changed by more, was not that of an idle device.
_UNSETTLED = 0.1


def headline(of: str) -> dict[str, MetricInfo]:
    """The readings of the meter of the device that the model runs on; `of` names what they are the power of."""
    return {
        "avg_power_W": MetricInfo("W", -1, f"average power of {of}"),
        "idle_power_W": MetricInfo("W", -1, f"power of {of} before the blocks, the model loaded and at rest"),
        "net_power_W": MetricInfo("W", -1, "average power above idle"),
        "power_uncertainty": MetricInfo("", 0, "largest relative error of the average power from ticks and sampling"),
        "power_doubtful": MetricInfo("", 0, "average power is doubted (1; the warnings say why) or not (0)", "max"),
        "power_samples": MetricInfo("", 0, "refreshes of the meter behind the average power"),
        "power_window_s": MetricInfo("s", 0, "time that the average power is over"),
    }


def gpu_headline(of: str) -> dict[str, MetricInfo]:
    """The readings of a GPU's meter, which has an energy counter and a power reading beside it."""
    return headline(of) | {
        "integrated_power_W": MetricInfo("W", -1, f"average power of {of}, integrated from readings"),
        "power_from_counter": MetricInfo("", 0, "average power is from the energy counter (1) or from readings (0)"),
    }


def gpu_power(verdict: Verdict) -> dict[str, float]:
    """What `gpu_headline` adds: the integral, and which of the two the average power is from."""
    found = {}
    if verdict.integrated:
        found["integrated_power_W"] = verdict.integrated.watts
    if verdict.best:
        found["power_from_counter"] = float(verdict.counter is not None)
    return found


def on_rocm() -> bool:
    """Whether the loaded torch calls AMD's GPUs `cuda`; it is not imported for the question."""
    torch = sys.modules.get("torch")
    return bool(torch and torch.version.hip)


class PowerProbe(Probe):
    """Watches one meter; a subclass opens it (`_meter`), judges it (`_verdict`) and reads the rest (`_others`).

    `device` is what torch calls the device of the model. The idle power is read over `rest_s`, after `settle_s` in
    which a GPU lowers its clocks; without `rest` there is no idle and no net power.
    """

    window_s = 5.0
    rest_s = 2.0
    settle_s = 1.0

    def __init__(self, device: str, provides: Mapping[str, MetricInfo]) -> None:
        self.provides = provides
        self._device = device
        self._open = ExitStack()
        self._sampler: Sampler | None = None
        self._failure = ""
        self._idle: Verdict | None = None
        self.seen: Seen | None = None

    @abstractmethod
    def _meter(self) -> AbstractContextManager[Meter]:
        """Open the meter. Raises `Unsupported` or `MeterLost` where it cannot be."""

    @abstractmethod
    def _verdict(self, seen: Seen) -> Verdict:
        """Judge what was seen."""

    @abstractmethod
    def _others(self, seen: Seen, verdict: Verdict) -> dict[str, float]:
        """Readings beside those of `headline`."""

    def _cautions(self, seen: Seen) -> list[Warn]:
        """What a reader must know beside doubts about the power: nothing, unless a meter says more."""
        del seen
        return []

    def rest(self) -> None:
        """Read the idle power: the device has the model loaded and nothing to do."""
        time.sleep(self.settle_s)
        with self:
            time.sleep(self.rest_s)
        self._idle = self.verdict()
        self.seen = None

    def __enter__(self) -> Self:
        """Open the meter and start polling; one that is gone by now is told in `warnings`, not raised."""
        self.seen, self._sampler, self._failure = None, None, ""
        try:
            self._sampler = Sampler(self._open.enter_context(self._meter()))
        except (Unsupported, MeterLost) as failure:
            self._failure = str(failure)
            self._open.close()
        else:
            self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop polling and close the meter."""
        if self._sampler:
            self.seen = self._sampler.stop()
            self._sampler = None
        self._open.close()

    def verdict(self) -> Verdict | None:
        """Counter, integral and doubts of the last block; None before it, and where the meter could not be opened."""
        return self._verdict(self.seen) if self.seen else None

    def read(self) -> dict[str, float]:
        """The last block's values; nothing where the device was lost: they would describe a part of the block."""
        verdict = self.verdict()
        if self.seen is None or self.seen.lost or verdict is None:
            return {}
        found = self._others(self.seen, verdict)
        if verdict.best:
            found["avg_power_W"] = verdict.best.watts
            found["power_uncertainty"] = verdict.uncertainty
            found["power_doubtful"] = float(bool(verdict.doubts))
            found["power_samples"] = float(verdict.best.samples)
            found["power_window_s"] = verdict.best.window_s
        if self._idle and self._idle.best:
            found["idle_power_W"] = self._idle.best.watts
            if verdict.best:
                found["net_power_W"] = verdict.best.watts - self._idle.best.watts
        return {name: value for name, value in found.items() if name in self.provides}

    def warnings(self) -> list[Warn]:
        """Doubts about the last block's values."""
        if self._failure:
            return [Warn("meter_lost", f"The meter could not be read: {self._failure}", "See `pinchpoint doctor`.")]
        verdict = self.verdict()
        if self.seen is None or verdict is None:
            return []
        return [*verdict.doubts, *self._cautions(self.seen), *self._doubts_of_idle(verdict)]

    def _doubts_of_idle(self, verdict: Verdict) -> list[Warn]:
        """Why there is no net power, or why it is less certain than the gross."""
        if self._idle is None or verdict.best is None or "net_power_W" not in self.provides:
            return []
        idle, remedy = self._idle.best, "Use the gross power, or measure again when nothing else runs."
        if idle is None:
            return [Warn("idle_unread", "The power at rest could not be read, so no net power is told.", remedy)]
        doubt = self._idle.uncertainty + idle.drift
        if doubt > _UNSETTLED:
            message = f"The power at rest ({idle.watts:.1f} W) is uncertain or still changed, by {doubt:.0%}."
            return [Warn("idle_unsettled", f"{message} The net power suffers from that.", remedy)]
        return []
