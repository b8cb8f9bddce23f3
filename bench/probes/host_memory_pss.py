"""The proportional set size: resident memory with each shared page divided by the number of processes that share it.

The kernel walks every page table for it: 5 ms for a process of 1 GB (measured, Linux 6.18), too much beside a block of
20 ms. So it is read once, at the end of a block that no times are taken from.
"""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.probes import Probe
from bench.record import MetricInfo

_ROLLUP = Path("/proc/self/smaps_rollup")

_PROVIDES = {"pss_B": MetricInfo("B", -1, "proportional memory between iterations")}


class ProportionalMemory(Probe):
    """PSS just after the block's last iteration: weights and caches, without what lives inside an iteration only."""

    window_s = 0.1
    provides: Mapping[str, MetricInfo] = _PROVIDES

    def __init__(self, rollup: Path = _ROLLUP) -> None:
        self._rollup = rollup
        self._readings: dict[str, float] = {}

    def unavailable(self) -> str | None:
        """Why it cannot be read: not Linux, older than 4.14, or not permitted."""
        try:
            self._rollup.read_bytes()
        except OSError as error:
            return f"The kernel does not tell the proportional set size ({self._rollup}: {error.strerror})."
        return None

    def __enter__(self) -> Self:
        """Nothing is set: only the end of the block is read."""
        self._readings = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read it once."""
        self._readings["pss_B"] = float(_proportional(self._rollup.read_bytes()))

    def read(self) -> dict[str, float]:
        """`pss_B`."""
        return dict(self._readings)


def _proportional(rollup: bytes) -> int:
    """Bytes of the line `Pss:   13540 kB`; `Pss_Anon:` and its like stand beside it."""
    _, _, rest = rollup.partition(b"\nPss:")
    return int(rest.split(maxsplit=1)[0]) * 1024


def probe(device: str) -> ProportionalMemory:
    """Host memory is read whatever device the model runs on."""
    del device
    return ProportionalMemory()
