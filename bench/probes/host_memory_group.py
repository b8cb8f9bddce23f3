"""The peak memory of the control group: what the kernel's limit is held against, with files in memory and neighbours.

It counts since the group began and only grows, so it is read once, at the end of a block that no times are taken from.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bench import control_group
from bench.probes import Probe
from bench.record import MetricInfo

_PROVIDES = {
    "max_control_group_B": MetricInfo("B", -1, "peak memory of the control group since it began", combine="max")
}


class GroupMemory(Probe):
    """The group's peak just after the block's last iteration."""

    window_s = 0.1
    provides: Mapping[str, MetricInfo] = _PROVIDES

    def __init__(self) -> None:
        self._readings: dict[str, float] = {}

    def unavailable(self) -> str | None:
        """Why there is none: no control group, or a kernel that does not keep its peak."""
        if control_group.memory_peak_B() is None:
            return "The kernel keeps no peak memory for the control group of this process."
        return None

    def __enter__(self) -> Self:
        """Nothing is set: resetting the peak would change what others read."""
        self._readings = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read it once."""
        if (peak := control_group.memory_peak_B()) is not None:
            self._readings["max_control_group_B"] = float(peak)

    def read(self) -> dict[str, float]:
        """`max_control_group_B`."""
        return dict(self._readings)


def probe(device: str) -> GroupMemory:
    """Host memory is read whatever device the model runs on."""
    del device
    return GroupMemory()
