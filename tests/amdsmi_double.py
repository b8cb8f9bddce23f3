"""A stand-in for AMD's Python module `amdsmi` 7.0, for tests alone: it replays a known power. No AMD GPU is at hand."""

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from tests.doubles import Trace

#: Microjoules a count, as AMD's reference and users report.
RESOLUTION_UJ = 15.3


class AmdSmiException(Exception):  # noqa: N818 - the name of the real one
    """Base of all that the real module raises."""


@dataclass
class Replay:
    """GPUs that follow `trace`, GPU i with i + 1 times its power. `names` not in the module raise as the real one does.

    `order` are the numbers that HIP gives them. `frozen`: the energy counter stands still. `scale`: what it counts for
    each joule. `older`: a GPU that tells an average of its power alone.
    """

    trace: Trace
    order: tuple[int, ...] = (0,)
    frozen: bool = False
    scale: float = 1.0
    older: bool = False
    fails: tuple[str, ...] = ()
    zero_s: float = field(default_factory=time.perf_counter)
    opened: int = 0

    def module(self) -> Any:
        """What `import amdsmi` is to give."""
        names = (
            "amdsmi_init amdsmi_shut_down amdsmi_get_processor_handles amdsmi_get_energy_count amdsmi_get_power_info "
            "amdsmi_get_gpu_activity amdsmi_get_clock_info amdsmi_get_temp_metric amdsmi_get_gpu_enumeration_info"
        )
        made = SimpleNamespace(
            AmdSmiException=AmdSmiException,
            AmdSmiClkType=SimpleNamespace(GFX="gfx"),
            AmdSmiTemperatureType=SimpleNamespace(HOTSPOT="hotspot"),
            AmdSmiTemperatureMetric=SimpleNamespace(CURRENT="current"),
        )
        for name in names.split():
            setattr(made, name, self._raising(name) if name in self.fails else getattr(self, name))
        return made

    @staticmethod
    def _raising(name: str) -> Any:
        def fail(*_: object) -> None:
            raise AmdSmiException(f"Error code: 2 | {name}")

        return fail

    def _now_s(self) -> float:
        return 0.0 if self.frozen else time.perf_counter() - self.zero_s

    def amdsmi_init(self) -> None:
        self.opened += 1

    def amdsmi_shut_down(self) -> None:
        self.opened -= 1

    def amdsmi_get_processor_handles(self) -> list[int]:
        return list(range(len(self.order)))

    def amdsmi_get_energy_count(self, handle: int) -> dict[str, float]:
        now_s = self._now_s()
        joules = (handle + 1) * self.trace.mean_watts(0.0, now_s) * now_s if now_s > 0 else 0.0
        count = round(self.scale * joules * 1e6 / RESOLUTION_UJ)
        return {"energy_accumulator": count, "counter_resolution": RESOLUTION_UJ, "timestamp": round(now_s * 1e9)}

    def amdsmi_get_power_info(self, handle: int) -> dict[str, int | str]:
        now_s = time.perf_counter() - self.zero_s
        watts = round((handle + 1) * self.trace.mean_watts(now_s - 0.001, now_s))
        return {
            "current_socket_power": "N/A" if self.older else watts,
            "average_socket_power": watts if self.older else "N/A",
        }

    def amdsmi_get_gpu_activity(self, handle: int) -> dict[str, int]:
        return {"gfx_activity": 93, "umc_activity": 40}

    def amdsmi_get_clock_info(self, handle: int, kind: str) -> dict[str, int]:
        assert kind == "gfx"
        return {"clk": 2100, "max_clk": 2100}

    def amdsmi_get_temp_metric(self, handle: int, kind: str, metric: str) -> int:
        assert (kind, metric) == ("hotspot", "current")
        return 71

    def amdsmi_get_gpu_enumeration_info(self, handle: int) -> dict[str, int]:
        return {"hip_id": self.order[handle]}
