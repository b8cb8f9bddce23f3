"""A stand-in for /sys/class/powercap, for tests alone: counters that follow a known power, with faults to choose.

A thread keeps the files up to date, as the kernel would: each is replaced as a whole, about every millisecond, with the
exact energy of that moment. `power` is read as steps: pairs of (seconds since `zero_s`, watts).
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.doubles import DRAM_SHARE, Trace

#: What Intel's servers state: 2**32 units of 61 microjoules.
RANGE_J = 262143.328850


@dataclass
class Tree:
    """One package and its memory, which draws a tenth of it, under `root`.

    `before_wrap_J` is what the counter still counts before it wraps, from `zero_s` on. Faults, each at a time in
    seconds since `zero_s`: from `frozen_s` on nothing is counted until `thawed_s`, and what was drawn meanwhile is
    missing; at `reset_s` the counter starts again from zero; from `gone_s` on the files are not there.
    """

    root: str
    power: Sequence[tuple[float, float]]
    zero_s: float = field(default_factory=time.perf_counter)
    before_wrap_J: float = RANGE_J / 2
    frozen_s: float = float("inf")
    thawed_s: float = float("inf")
    reset_s: float = float("inf")
    gone_s: float = float("inf")

    def __post_init__(self) -> None:
        self._trace = Trace(tuple((seconds, watts) for seconds, watts in self.power), steps=True)
        self._stopped = threading.Event()
        self._writer = threading.Thread(target=self._keep_up, name="powercap_double")
        for folder, name in (("intel-rapl:0", "package-0"), ("intel-rapl:0:0", "core"), ("intel-rapl:0:1", "dram")):
            self._write(folder, "name", name)
            self._write(folder, "max_energy_range_uj", str(round(RANGE_J * 1e6)))
        for folder, name in (("intel-rapl:1", "psys"), ("intel-rapl-mmio:0", "package-0")):
            self._write(folder, "name", name)
            self._write(folder, "energy_uj", "0")
        self._update()

    def joules(self, now_s: float, share: float, start_J: float) -> float:
        """What a counter of that share of the power has counted at a time since `zero_s`, wrapped around."""
        began_s = 0.0
        if now_s >= self.reset_s:
            began_s, start_J = self.reset_s, 0.0
        counted = self._drawn(began_s, now_s) - self._drawn(max(began_s, self.frozen_s), min(now_s, self.thawed_s))
        return (start_J + share * counted) % RANGE_J

    def _drawn(self, start_s: float, end_s: float) -> float:
        return self._trace.mean_watts(start_s, end_s) * (end_s - start_s) if end_s > start_s else 0.0

    def _keep_up(self) -> None:
        while not self._stopped.wait(0.001):
            self._update()

    def _update(self) -> None:
        now_s = time.perf_counter() - self.zero_s
        if now_s >= self.gone_s:
            Path(self.root, "intel-rapl:0", "energy_uj").unlink(missing_ok=True)
            return
        for folder, share in (("intel-rapl:0", 1.0), ("intel-rapl:0:0", 0.7), ("intel-rapl:0:1", DRAM_SHARE)):
            start_J = RANGE_J - self.before_wrap_J if folder == "intel-rapl:0" else RANGE_J / 2
            self._write(folder, "energy_uj", str(round(self.joules(now_s, share, start_J) * 1e6)))

    def _write(self, folder: str, name: str, text: str) -> None:
        place = Path(self.root, folder)
        place.mkdir(parents=True, exist_ok=True)
        fresh = place / f".{name}"
        fresh.write_text(f"{text}\n")
        fresh.replace(place / name)

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._writer.join()
