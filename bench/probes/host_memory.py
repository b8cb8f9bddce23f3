"""The most memory that this process held during a block.

The kernel keeps the resident set's high-water mark (VmHWM), so no spike is missed between two samples; writing `5` to
/proc/self/clear_refs sets it back (proc(5)). The kernel counts pages in batches per core, so the mark is good to about
a megabyte. Memory of other processes, such as data loaders, is not in it.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.probes import Probe
from bench.record import MetricInfo

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")

_PROVIDES = {
    "max_ram_B": MetricInfo("B", -1, "peak memory", combine="max"),
}


class HostMemory(Probe):
    """VmHWM of each block. Entering costs one write and leaving one read, together well under a millisecond."""

    window_s = 0.0
    provides: Mapping[str, MetricInfo] = _PROVIDES

    def __init__(self, status: Path = _STATUS, clear_refs: Path = _CLEAR_REFS) -> None:
        self._status = status
        self._clear_refs = clear_refs
        self._readings: dict[str, float] = {}

    def unavailable(self) -> str | None:
        """Why the peak cannot be had per block: not Linux, or /proc may not be written."""
        if not self._status.exists():
            return "The peak of the resident memory is read from /proc, which this system does not have."
        try:
            self._clear_refs.write_bytes(b"5")
        except OSError as error:
            return f"The kernel does not let this process reset its peak memory ({self._clear_refs}: {error.strerror})."
        return None

    def __enter__(self) -> Self:
        """Set the high-water mark back to what is resident now."""
        self._readings = {}
        self._clear_refs.write_bytes(b"5")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read the high-water mark."""
        self._readings["max_ram_B"] = float(_high_water_mark(self._status.read_bytes()))

    def read(self) -> dict[str, float]:
        """`max_ram_B`."""
        return dict(self._readings)


def _high_water_mark(status: bytes) -> int:
    """Bytes of `VmHWM:   13540 kB` in the text of /proc/self/status."""
    _, _, rest = status.partition(b"VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024


def probe(device: str) -> HostMemory:
    """Host memory is read whatever device the model runs on."""
    del device
    return HostMemory()
