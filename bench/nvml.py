"""NVIDIA's management library (NVML) through `pynvml`: the one file that imports it, and where its errors are mapped.

Answers are in SI units. A query raises `Unsupported` with the reason where the GPU or driver does not answer it, and
`GpuLost` where the GPU is gone. Signatures and units: NVML API reference guide, "Device Queries" and "Field Values".
"""

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.errors import Unsupported
from bench.power_sampler import MeterLost

#: From Ampere on, except GA100 (compute capability 8.0), nvmlDeviceGetPowerUsage is an average over one second.
_AVERAGING_S = 1.0
_GA100 = (8, 0)
#: A100 (GA100) and H100 (compute capability 9.0): their power sensor looks during 25 % of the time (Yang, Adamek and
#: Armour, "Part-time Power Measurements", arXiv 2312.02741).
_PART_TIME = (_GA100, (9, 0))

#: Bits of nvmlDeviceGetCurrentClocksThrottleReasons that slow the GPU below what was asked of it. Left out: idle,
#: clocks that somebody set, and following another GPU or a display.
_THROTTLES = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}

_REINSTALL = "pip uninstall -y pynvml; pip install --force-reinstall 'nvidia-ml-py>=12.560'"


class GpuLost(MeterLost):
    """The GPU fell off the bus, or has to be reset before it answers again."""


@dataclass(frozen=True)
class Gpu:
    """One GPU while the library is open."""

    pynvml: Any
    handle: Any

    def _ask(self, name: str, *arguments: object) -> Any:
        try:
            return getattr(self.pynvml, name)(self.handle, *arguments)
        except (self.pynvml.NVMLError, self.pynvml.NVMLLibraryMismatchError) as error:
            raise _explained(self.pynvml, error, name) from error

    def name(self) -> str:
        """The product's name."""
        return str(self._ask("nvmlDeviceGetName"))

    def uuid(self) -> str:
        """`GPU-` and 32 hexadecimal digits in five groups."""
        return str(self._ask("nvmlDeviceGetUUID"))

    def energy_joules(self) -> float:
        """Energy since the driver was loaded; refreshed about ten times a second (Volta and newer)."""
        return float(self._ask("nvmlDeviceGetTotalEnergyConsumption")) / 1e3

    def instant_power_watts(self) -> float:
        """Power now, from field 186 (NVML_FI_DEV_POWER_INSTANT)."""
        value = self._ask("nvmlDeviceGetFieldValues", [self.pynvml.NVML_FI_DEV_POWER_INSTANT])[0]
        if value.nvmlReturn != self.pynvml.NVML_SUCCESS:
            raise _explained(self.pynvml, self.pynvml.NVMLError(value.nvmlReturn), "NVML_FI_DEV_POWER_INSTANT")
        return float(value.value.uiVal) / 1e3

    def power_watts(self) -> float:
        """Power, averaged over `power_averaging_seconds`."""
        return float(self._ask("nvmlDeviceGetPowerUsage")) / 1e3

    def power_averaging_seconds(self) -> float:
        """Over how long `power_watts` is an average; 0 for a reading of the moment."""
        return _AVERAGING_S if self._compute_capability() > _GA100 else 0.0

    def sensor_is_part_time(self) -> bool:
        """Whether the power sensor of this generation is known to look only part of the time."""
        try:
            return self._compute_capability() in _PART_TIME
        except Unsupported:
            return False

    def _compute_capability(self) -> tuple[int, int]:
        major, minor = self._ask("nvmlDeviceGetCudaComputeCapability")
        return int(major), int(minor)

    def utilization(self) -> float:
        """Share of the last sample period (1/6 to 1 s) during which a kernel was running, 0 to 1."""
        return float(self._ask("nvmlDeviceGetUtilizationRates").gpu) / 100

    def sm_clock_hertz(self) -> float:
        """Clock of the multiprocessors."""
        return float(self._ask("nvmlDeviceGetClockInfo", self.pynvml.NVML_CLOCK_SM)) * 1e6

    def memory_clock_hertz(self) -> float:
        """Clock of the memory."""
        return float(self._ask("nvmlDeviceGetClockInfo", self.pynvml.NVML_CLOCK_MEM)) * 1e6

    def max_sm_clock_hertz(self) -> float:
        """The fastest clock that the multiprocessors may take."""
        return float(self._ask("nvmlDeviceGetMaxClockInfo", self.pynvml.NVML_CLOCK_SM)) * 1e6

    def usual_sm_clock_hertz(self) -> float:
        """The clock that applications run at by default; the fastest one where the GPU tells no default."""
        try:
            return float(self._ask("nvmlDeviceGetDefaultApplicationsClock", self.pynvml.NVML_CLOCK_SM)) * 1e6
        except Unsupported:
            return self.max_sm_clock_hertz()

    def temperature_celsius(self) -> float:
        """Temperature of the die."""
        return float(self._ask("nvmlDeviceGetTemperature", self.pynvml.NVML_TEMPERATURE_GPU))

    def throttles(self) -> tuple[str, ...]:
        """What slows the GPU now, in words; empty where nothing does."""
        bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        return tuple(word for bit, word in _THROTTLES.items() if bits & bit)

    def supported_sm_clocks_hertz(self) -> list[float]:
        """Clocks that the multiprocessors may be locked to while the memory is at its fastest."""
        memory_MHz = self._ask("nvmlDeviceGetMaxClockInfo", self.pynvml.NVML_CLOCK_MEM)
        return [megahertz * 1e6 for megahertz in self._ask("nvmlDeviceGetSupportedGraphicsClocks", memory_MHz)]

    def lock_sm_clock(self, hertz: float) -> None:
        """Hold the clock of the multiprocessors there, whoever uses the GPU. Only root may."""
        self._ask("nvmlDeviceSetGpuLockedClocks", *[round(hertz / 1e6)] * 2)

    def free_sm_clock(self) -> None:
        """Let the GPU choose its clock again. Only root may."""
        self._ask("nvmlDeviceResetGpuLockedClocks")

    def power_limit_watts(self) -> float:
        """The limit that is set."""
        return float(self._ask("nvmlDeviceGetPowerManagementLimit")) / 1e3

    def default_power_limit_watts(self) -> float:
        """The limit that the board comes with."""
        return float(self._ask("nvmlDeviceGetPowerManagementDefaultLimit")) / 1e3

    def least_power_limit_watts(self) -> float:
        """The least limit that may be set."""
        return float(self._ask("nvmlDeviceGetPowerManagementLimitConstraints")[0]) / 1e3

    def set_power_limit(self, watts: float) -> None:
        """Set the limit, whoever uses the GPU. Only root may."""
        self._ask("nvmlDeviceSetPowerManagementLimit", round(watts * 1e3))

    def memory_bytes(self) -> float:
        """All memory of the board."""
        return float(self._ask("nvmlDeviceGetMemoryInfo").total)

    def free_memory_bytes(self) -> float:
        """Memory of the board that nobody holds."""
        return float(self._ask("nvmlDeviceGetMemoryInfo").free)

    def process_memory_bytes(self) -> dict[int, float | None]:
        """What each computing process holds, its CUDA context included, by number; None where it is not told."""
        return {process.pid: process.usedGpuMemory for process in self._ask("nvmlDeviceGetComputeRunningProcesses")}


@contextmanager
def gpu(device: str) -> Iterator[Gpu]:
    """Open the library and find the GPU that torch calls `device` (`cuda`, `cuda:1`); close it on leaving.

    Raises `Unsupported` where there is no library, no driver or no such GPU.
    """
    if not device.startswith("cuda"):
        raise Unsupported("The model runs on the CPU; NVML reads NVIDIA GPUs only.")
    index = int(device.partition(":")[2] or 0)
    with _library() as pynvml:
        yield _by_torch(pynvml, index) or _by_environment(pynvml, index)


@contextmanager
def gpus() -> Iterator[list[Gpu]]:
    """Open the library with every GPU of the machine, in NVML's order. Raises `Unsupported` where there is none."""
    with _library() as pynvml:
        yield _every(pynvml)


def driver_version() -> str:
    """Version of the installed driver; call it while the library is open. Raises `Unsupported` where it is not told."""
    pynvml = _import()
    try:
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        raise _explained(pynvml, error, "nvmlSystemGetDriverVersion") from error


@contextmanager
def _library() -> Iterator[Any]:
    pynvml = _import()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise _explained(pynvml, error, "nvmlInit") from error
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _import() -> Any:
    try:
        pynvml = importlib.import_module("pynvml")
    except ImportError as error:
        raise Unsupported("NVML needs the package nvidia-ml-py; run: pip install nvidia-ml-py") from error
    if not hasattr(pynvml, "NVML_FI_DEV_POWER_INSTANT"):  # an abandoned package of the same module name, or very old
        raise Unsupported(f"The installed pynvml is not NVIDIA's nvidia-ml-py, or is too old; run: {_REINSTALL}")
    return pynvml


def _explained(pynvml: Any, error: Exception, query: str) -> Exception:
    """What a vendor error means here."""
    code = getattr(error, "value", None)
    if code in (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED):
        return GpuLost(f"The GPU is lost or needs a reset ({query}).")
    sentences = {
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: "There is no NVIDIA driver on this machine (no libnvidia-ml.so.1).",
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED: "The NVIDIA driver is installed, but not loaded.",
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: "The NVIDIA driver was updated while in use; restart the machine.",
        pynvml.NVML_ERROR_NO_PERMISSION: f"NVML does not permit {query} to this user; run it as root.",
    }
    return Unsupported(sentences.get(code, f"NVML does not answer {query}: {error}."))


def _every(pynvml: Any) -> list[Gpu]:
    try:
        return [Gpu(pynvml, pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise _explained(pynvml, error, "nvmlDeviceGetHandleByIndex") from error


def _by_torch(pynvml: Any, index: int) -> Gpu | None:
    """The GPU by the UUID that torch tells: NVML ignores CUDA_VISIBLE_DEVICES and may number GPUs differently."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    uuid = "GPU-" + str(torch.cuda.get_device_properties(index).uuid).removeprefix("GPU-")
    try:
        return Gpu(pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid))
    except pynvml.NVMLError as error:
        raise Unsupported("NVML does not know this device; a slice of a GPU (MIG) has no meter of its own.") from error


def _by_environment(pynvml: Any, index: int) -> Gpu:
    """The GPU by CUDA_VISIBLE_DEVICES, read as CUDA does: numbers or beginnings of UUIDs, up to the first bad one."""
    found = _every(pynvml)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        listed = []
        for word in visible.split(","):
            match = _named(found, word.strip())
            if match is None:
                break
            listed.append(match)
        found = listed
    if index >= len(found):
        raise Unsupported(f"There is no cuda:{index}: {len(found)} GPUs are here and visible (CUDA_VISIBLE_DEVICES).")
    return found[index]


def _named(found: list[Gpu], word: str) -> Gpu | None:
    if re.fullmatch(r"\d+", word):
        return found[int(word)] if int(word) < len(found) else None
    matches = [each for each in found if word.startswith("GPU-") and each.uuid().startswith(word)]
    return matches[0] if len(matches) == 1 else None


def why_no_gpu() -> str | None:
    """Why NVML finds no GPU on this machine; None where it finds one."""
    try:
        with gpus() as found:
            return None if found else "the driver knows of none."
    except (Unsupported, GpuLost) as reason:
        return str(reason)


def describe() -> list[dict[str, str | float | None]]:
    """Each GPU of the machine, for the host's description; empty without NVML. None where a GPU does not tell."""
    try:
        with gpus() as found:
            return [_description(each) for each in found]
    except (Unsupported, GpuLost):
        return []


def describe_one(device: str) -> dict[str, str | float | None]:
    """The GPU that torch calls `device`, as `describe` tells it. Raises `Unsupported` or `GpuLost` as `gpu` does."""
    with gpu(device) as found:
        return _description(found)


def _description(gpu: Gpu) -> dict[str, str | float | None]:
    return {
        "name": gpu.name(),
        "memory_B": _told(gpu.memory_bytes),
        "power_limit_W": _told(gpu.power_limit_watts),
        "default_power_limit_W": _told(gpu.default_power_limit_watts),
        "max_sm_clock_Hz": _told(gpu.max_sm_clock_hertz),
        "driver": driver_version(),
    }


def _told(query: Callable[[], float]) -> float | None:
    try:
        return query()
    except Unsupported:
        return None
