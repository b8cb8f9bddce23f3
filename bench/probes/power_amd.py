"""Power, energy, clock and temperature of an AMD GPU over a block, through AMD SMI. It has met a stand-in only.

No AMD GPU was at hand: names and units are those of the Python package `amdsmi` 7.0 and its reference, and the tests
replay a known power through a stand-in for that module. Known of the real one: on some GPUs (MI100) its energy counter
stands still or is wrong (github.com/ROCm/amdsmi issues 22 and 38), and it has been seen to fall (issue 115); the
checks that all meters share tell of each. The power is that of the package (socket), not of the wall.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench import power_meter, power_verdict
from bench.errors import Unsupported
from bench.power_meter import PowerProbe
from bench.power_sampler import Meter, Seen, answering
from bench.power_verdict import Source, Verdict
from bench.record import MetricInfo

_SOURCE = Source("the AMD GPU")
_UNTRIED = "never tried on a real AMD GPU"
_STATE = {
    "gfx_activity": MetricInfo("", 0, f"share of time with the graphics engine at work ({_UNTRIED})"),
    "gfx_clock_Hz": MetricInfo("Hz", 0, f"clock of the graphics engine ({_UNTRIED})"),
    "hotspot_temperature_C": MetricInfo("°C", 0, f"highest temperature of the hot spot ({_UNTRIED})", combine="max"),
}
_POWER = power_meter.gpu_headline(f"the AMD GPU ({_UNTRIED})")


@dataclass(frozen=True)
class Gpu:
    """One GPU while the library is open. Each query raises `Unsupported` where the GPU does not answer it."""

    amdsmi: Any
    handle: Any

    def _ask(self, name: str, key: str, *arguments: object) -> float:
        try:
            answer = getattr(self.amdsmi, name)(self.handle, *arguments)[key]
        except (self.amdsmi.AmdSmiException, KeyError) as error:
            raise Unsupported(f"AMD SMI does not answer {name}: {error}.") from error
        if not isinstance(answer, int | float):  # "N/A" stands for a value that this GPU has not
            raise Unsupported(f"AMD SMI has no {key} for this GPU.")
        return float(answer)

    def energy_joules(self) -> float:
        """The accumulator times its resolution, which is in microjoules."""
        try:
            count = self.amdsmi.amdsmi_get_energy_count(self.handle)
        except self.amdsmi.AmdSmiException as error:
            raise Unsupported(f"AMD SMI does not answer amdsmi_get_energy_count: {error}.") from error
        return float(count["energy_accumulator"]) * float(count["counter_resolution"]) / 1e6

    def power_watts(self) -> float:
        """The power now where the GPU tells it (MI300 and newer), otherwise the average that its firmware forms."""
        try:
            return self._ask("amdsmi_get_power_info", "current_socket_power")
        except Unsupported:
            return self._ask("amdsmi_get_power_info", "average_socket_power")

    def activity(self) -> float:
        """Share of time, 0 to 1, told in percent."""
        return self._ask("amdsmi_get_gpu_activity", "gfx_activity") / 100

    def clock_hertz(self) -> float:
        """Clock of the graphics engine, told in MHz."""
        return self._ask("amdsmi_get_clock_info", "clk", self.amdsmi.AmdSmiClkType.GFX) * 1e6

    def temperature_celsius(self) -> float:
        """Temperature of the hottest spot of the die."""
        kind, now = self.amdsmi.AmdSmiTemperatureType.HOTSPOT, self.amdsmi.AmdSmiTemperatureMetric.CURRENT
        try:
            return float(self.amdsmi.amdsmi_get_temp_metric(self.handle, kind, now))
        except self.amdsmi.AmdSmiException as error:
            raise Unsupported(f"AMD SMI does not answer amdsmi_get_temp_metric: {error}.") from error

    def hip_index(self) -> float:
        """Its number among the GPUs that HIP, and so torch, would see without any variable set."""
        return self._ask("amdsmi_get_gpu_enumeration_info", "hip_id")


@contextmanager
def gpu(device: str) -> Iterator[Gpu]:
    """Open the library and find the GPU that torch calls `device`. Raises `Unsupported` where there is none."""
    if not device.startswith("cuda"):
        raise Unsupported("The model runs on the CPU; AMD SMI reads AMD GPUs only.")
    if not power_meter.on_rocm():
        raise Unsupported("This torch is not built for ROCm, so the model does not run on an AMD GPU.")
    amdsmi = _import()
    try:
        amdsmi.amdsmi_init()
    except amdsmi.AmdSmiException as error:
        raise Unsupported(f"AMD SMI cannot be opened: {error}.") from error
    try:
        yield _named(amdsmi, int(device.partition(":")[2] or 0))
    finally:
        amdsmi.amdsmi_shut_down()


def _import() -> Any:
    try:
        amdsmi = importlib.import_module("amdsmi")
    except (ImportError, OSError, KeyError) as error:  # without libamd_smi.so the package ends in a KeyError
        raise Unsupported(
            "AMD SMI needs ROCm and the package amdsmi of its release; run: pip install amdsmi."
        ) from error
    if not hasattr(amdsmi, "amdsmi_get_gpu_enumeration_info"):
        raise Unsupported("The installed amdsmi is too old; install the one of ROCm 7 or newer.")
    return amdsmi


def _named(amdsmi: Any, index: int) -> Gpu:
    """The GPU that torch numbers `index`, by HIP_VISIBLE_DEVICES where there are several."""
    try:
        found = [Gpu(amdsmi, handle) for handle in amdsmi.amdsmi_get_processor_handles()]
    except amdsmi.AmdSmiException as error:
        raise Unsupported(f"AMD SMI does not list the GPUs: {error}.") from error
    if len(found) == 1 and index == 0:
        return found[0]
    if "ROCR_VISIBLE_DEVICES" in os.environ:
        raise Unsupported("ROCR_VISIBLE_DEVICES renumbers the GPUs; choose among them by HIP_VISIBLE_DEVICES instead.")
    visible = os.environ.get("HIP_VISIBLE_DEVICES") or os.environ.get("CUDA_VISIBLE_DEVICES")
    words = visible.split(",") if visible else [str(place) for place in range(len(found))]
    if index >= len(words) or not words[index].strip().isdigit():
        raise Unsupported(f"HIP_VISIBLE_DEVICES = {visible} gives cuda:{index} no number; list numbers of GPUs in it.")
    matches = [each for each in found if each.hip_index() == int(words[index])]
    if len(matches) != 1:
        raise Unsupported(f"AMD SMI knows no GPU that HIP numbers {words[index]}; {len(found)} are here.")
    return matches[0]


class PowerAmd(PowerProbe):
    """Reads power and state of the GPU; its state alone where another meter tells the power of the model's device."""

    def __init__(self, device: str) -> None:
        leads = device.startswith("cuda") and power_meter.on_rocm()
        super().__init__(device, _POWER | _STATE if leads else _STATE)

    def unavailable(self) -> str | None:
        """Why no power can be read: no AMD GPU, no library, or neither energy nor power is answered."""
        try:
            with self._meter() as meter:
                if not answering(meter.fast):
                    return "This GPU or its driver tells neither energy nor power."
        except Unsupported as reason:
            return str(reason)
        return None

    @contextmanager
    def _meter(self) -> Iterator[Meter]:
        with gpu(self._device) as found:
            yield Meter(
                fast={"energy": found.energy_joules, "power": found.power_watts},
                slow={
                    "gfx_activity": found.activity,
                    "gfx_clock_Hz": found.clock_hertz,
                    "hotspot_temperature_C": found.temperature_celsius,
                },
            )

    def _verdict(self, seen: Seen) -> Verdict:
        return power_verdict.judge(seen, _SOURCE)

    def _others(self, seen: Seen, verdict: Verdict) -> dict[str, float]:
        found = seen.means(list(_STATE)) | power_meter.gpu_power(verdict)
        if "hotspot_temperature_C" in found:
            found["hotspot_temperature_C"] = max(seen.values("hotspot_temperature_C"))
        return found


def probe(device: str) -> PowerAmd:
    """Reads the GPU that torch calls `device`."""
    return PowerAmd(device)
