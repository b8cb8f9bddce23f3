"""Everything that this process holds on the GPU, as the driver counts it: tensors, cache, CUDA context and libraries.

Opening NVML takes milliseconds, so it is read once, at the end of a block that no times are taken from. torch's
allocator gives nothing back in between, so what is held then is the most that was held.
"""

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bench import nvml
from bench.errors import Unsupported
from bench.probes import Probe
from bench.record import MetricInfo, Warn

_PROVIDES = {"max_process_vram_B": MetricInfo("B", -1, "memory of the process on the device", combine="max")}


class ProcessMemory(Probe):
    """This process' line in nvmlDeviceGetComputeRunningProcesses."""

    window_s = 0.1
    provides: Mapping[str, MetricInfo] = _PROVIDES

    def __init__(self, device: str) -> None:
        self._device = device
        self._readings: dict[str, float] = {}
        self._failure: str | None = None

    def unavailable(self) -> str | None:
        """Why NVML does not tell."""
        try:
            with nvml.gpu(self._device) as gpu:
                gpu.process_memory_bytes()
        except (Unsupported, nvml.GpuLost) as reason:
            return str(reason)
        return None

    def __enter__(self) -> Self:
        """Nothing is set: only the end of the block is read."""
        self._readings, self._failure = {}, None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ask the driver once."""
        try:
            with nvml.gpu(self._device) as gpu:
                held = gpu.process_memory_bytes().get(os.getpid())
        except (Unsupported, nvml.GpuLost) as failure:
            self._failure = str(failure)
            return
        if held is None:
            self._failure = "The driver does not list this process among those on the GPU."
        else:
            self._readings["max_process_vram_B"] = float(held)

    def read(self) -> dict[str, float]:
        """`max_process_vram_B`, where the driver lists this process."""
        return dict(self._readings)

    def warnings(self) -> list[Warn]:
        """Why there was no reading: in a container the driver may list processes by the host's numbers."""
        if self._failure is None:
            return []
        return [Warn("process_vram_unread", self._failure, "In a container, share the host's process numbers.")]


def probe(device: str) -> ProcessMemory:
    """Reads what this process holds on `device`."""
    return ProcessMemory(device)
