"""What torch's allocator took from the GPU during a block: the most in use, and the most that it kept.

The difference between the two is fragmentation and cache. What the CUDA context and libraries take comes on top:
`device_memory_nvml` reads it. Both figures are counters of the allocator, so reading them costs microseconds.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bench.probes import Probe
from bench.record import MetricInfo

_PROVIDES = {
    "max_allocated_B": MetricInfo("B", -1, "peak memory allocated on the device", combine="max"),
    "max_reserved_B": MetricInfo("B", -1, "peak memory reserved on the device", combine="max"),
}


class DeviceMemory(Probe):
    """Peaks of torch's CUDA allocator (torch.cuda.max_memory_allocated, torch.cuda.max_memory_reserved)."""

    window_s = 0.0
    provides: Mapping[str, MetricInfo] = _PROVIDES

    def __init__(self, device: str) -> None:
        self._device = device
        self._readings: dict[str, float] = {}

    def unavailable(self) -> str | None:
        """Why there is no such allocator."""
        if not self._device.startswith("cuda"):
            return "The model runs on the CPU; it takes no memory of a device."
        import torch

        if not torch.cuda.is_available():
            return "This build of torch finds no CUDA device."
        return None

    def __enter__(self) -> Self:
        """Set both peaks back to what is taken now."""
        import torch

        self._readings = {}
        torch.cuda.init()  # type: ignore[no-untyped-call]  # before it there is no allocator whose peaks could be set back
        torch.cuda.reset_peak_memory_stats(self._device)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read both peaks."""
        import torch

        self._readings = {
            "max_allocated_B": float(torch.cuda.max_memory_allocated(self._device)),
            "max_reserved_B": float(torch.cuda.max_memory_reserved(self._device)),
        }

    def read(self) -> dict[str, float]:
        """`max_allocated_B` and `max_reserved_B`."""
        return dict(self._readings)


def probe(device: str) -> DeviceMemory:
    """Reads the allocator of `device`."""
    return DeviceMemory(device)
