"""Power, energy, clocks, temperature and throttling of an NVIDIA GPU over a block, through NVML.

A thread polls the GPU beside the block. What is read is the board's power as the driver tells it, not the power at the
wall.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import nvml, power_meter, power_verdict
from bench.errors import Unsupported
from bench.power_meter import PowerProbe
from bench.power_sampler import Meter, MeterLost, Seen, answering
from bench.power_verdict import Source, Verdict
from bench.record import MetricInfo, Warn

#: A GPU is slowed now and then without harm to an average.
_THROTTLED_SHARE = 0.05

_STATE = {
    "gpu_utilization": MetricInfo("", 0, "share of time with a kernel running"),
    "sm_clock_Hz": MetricInfo("Hz", 0, "clock of the multiprocessors"),
    "memory_clock_Hz": MetricInfo("Hz", 0, "clock of the memory"),
    "temperature_C": MetricInfo("°C", 0, "highest temperature", combine="max"),
    "throttled_share": MetricInfo("", -1, "share of time throttled", combine="max"),
}
_POWER = power_meter.gpu_headline("the GPU's board")


class PowerNvml(PowerProbe):
    """Reads power and state of the GPU; its state alone where another meter tells the power of the model's device."""

    def __init__(self, device: str) -> None:
        leads = device.startswith("cuda") and not power_meter.on_rocm()
        super().__init__(device, _POWER | _STATE if leads else _STATE)
        self._source = Source("the GPU")
        self._throttles: set[str] = set()

    def unavailable(self) -> str | None:
        """Why no power can be read: no NVIDIA GPU, no library, or neither energy nor power is answered."""
        try:
            with self._meter() as meter:
                if not answering(meter.fast):
                    return "This GPU or its driver tells neither energy nor power."
        except (Unsupported, MeterLost) as reason:
            return str(reason)
        return None

    @contextmanager
    def _meter(self) -> Iterator[Meter]:
        with nvml.gpu(self._device) as gpu:
            power, averaging_s = _power_query(gpu)
            self._source = Source("the GPU", averaging_s=averaging_s, part_time=gpu.sensor_is_part_time())
            self._throttles = set()

            def throttled() -> float:
                words = gpu.throttles()
                self._throttles.update(words)
                return float(bool(words))

            yield Meter(
                fast={"energy": gpu.energy_joules, "power": power},
                slow={
                    "gpu_utilization": gpu.utilization,
                    "sm_clock_Hz": gpu.sm_clock_hertz,
                    "memory_clock_Hz": gpu.memory_clock_hertz,
                    "temperature_C": gpu.temperature_celsius,
                    "throttled_share": throttled,
                },
            )

    def _verdict(self, seen: Seen) -> Verdict:
        return power_verdict.judge(seen, self._source)

    def _others(self, seen: Seen, verdict: Verdict) -> dict[str, float]:
        found = seen.means(list(_STATE)) | power_meter.gpu_power(verdict)
        if "temperature_C" in found:
            found["temperature_C"] = max(seen.values("temperature_C"))
        return found

    def _cautions(self, seen: Seen) -> list[Warn]:
        """Whether the GPU was slowed."""
        share = seen.means(["throttled_share"]).get("throttled_share", 0.0)
        if seen.lost or share <= _THROTTLED_SHARE:
            return []
        message = f"The GPU was slowed for {share:.0%} of the time: {', '.join(sorted(self._throttles))}."
        return [Warn("throttled", message, "Compare only runs under the same power limit and cooling.")]


def _power_query(gpu: nvml.Gpu) -> tuple[Callable[[], float], float]:
    """The best power reading and the time that it averages over: of the moment where the driver tells it."""
    try:
        gpu.instant_power_watts()
    except Unsupported:
        return gpu.power_watts, gpu.power_averaging_seconds()
    return gpu.instant_power_watts, 0.0


def probe(device: str) -> PowerNvml:
    """Reads the GPU that torch calls `device`."""
    return PowerNvml(device)
