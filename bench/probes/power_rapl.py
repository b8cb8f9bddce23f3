"""Power of the processor packages and of their memory over a block, from the RAPL counters of the Linux kernel.

The counters (`/sys/class/powercap`; Intel since Sandy Bridge, AMD since Zen) are refreshed about every millisecond and
wrap at `max_energy_range_uj`, after minutes to hours (admin-guide/pm/powercap.rst). They count the whole machine, with
whatever else runs on it, but neither disks, fans, GPUs nor losses in the power supply: it is not the power at the wall.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import power_meter, power_verdict
from bench.errors import Unsupported
from bench.power_meter import PowerProbe
from bench.power_sampler import Meter, Seen
from bench.power_verdict import Source, Verdict
from bench.record import MetricInfo

POWERCAP = Path("/sys/class/powercap")

_OWN = {
    "package_power_W": MetricInfo("W", -1, "average power of the processor packages"),
    "dram_power_W": MetricInfo("W", -1, "average power of the memory"),
}
_POWER = power_meter.headline("processor packages, and memory where it is metered (not the wall)")


@dataclass(frozen=True)
class Domain:
    """One counter: `package-0`, or `package-0 dram`. Its files hold microjoules."""

    name: str
    folder: Path

    def joules(self) -> float:
        """Energy counted since it last wrapped. Raises `Unsupported` where it cannot be read."""
        return self._microjoules("energy_uj") / 1e6

    def range_joules(self) -> float:
        """What the counter begins again at zero from. Raises `Unsupported` where it cannot be read."""
        return self._microjoules("max_energy_range_uj") / 1e6

    def _microjoules(self, name: str) -> int:
        path = self.folder / name
        try:
            return int(path.read_text(encoding="ascii"))
        except PermissionError as error:
            raise Unsupported(
                f"The processor's energy counter may not be read by this user; run, and again after each start of the "
                f"machine: sudo chmod a+r {self.folder.parent}/intel-rapl:*/energy_uj (every user can then read it)."
            ) from error
        except (OSError, ValueError) as error:
            raise Unsupported(f"The processor's energy counter {path} cannot be read: {error}.") from error


def domains(root: Path) -> list[Domain]:
    """The packages and their memory under `root`. Raises `Unsupported` where there is no package.

    Left out: cores and uncore, which are parts of a package; `psys`, which contains it; and `intel-rapl-mmio`, which
    is the same package by another way.
    """
    names = {folder: _name(folder) for folder in sorted(root.glob("intel-rapl:*"))}
    packages = {folder.name: name for folder, name in names.items() if name.startswith("package")}
    if not packages:
        raise Unsupported(
            f"This machine tells no energy of its processor: {root} lists no package. Virtual machines seldom do; on a "
            "machine of your own, try: sudo modprobe intel_rapl_msr."
        )
    found = [Domain(name, root / folder) for folder, name in packages.items()]
    for folder, name in names.items():
        package = packages.get(folder.name.rpartition(":")[0])
        if name == "dram" and package:
            found.append(Domain(f"{package} dram", folder))
    return found


def _name(folder: Path) -> str:
    try:
        return (folder / "name").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


class PowerRapl(PowerProbe):
    """Reads packages and memory under any device; they lead where the model runs on the CPU.

    `root` stands for `/sys/class/powercap`.
    """

    def __init__(self, device: str, root: Path) -> None:
        super().__init__(device, _POWER | _OWN if device == "cpu" else _OWN)
        self._root = root
        self._ranges: dict[str, float] = {}

    def unavailable(self) -> str | None:
        """Why it cannot be read: no such counters, or not by this user."""
        try:
            for domain in domains(self._root):
                domain.joules(), domain.range_joules()
        except Unsupported as reason:
            return str(reason)
        return None

    @contextmanager
    def _meter(self) -> Iterator[Meter]:
        found = domains(self._root)
        self._ranges = {domain.name: domain.range_joules() for domain in found}
        queries: dict[str, Callable[[], float]] = {domain.name: domain.joules for domain in found}
        yield Meter(fast=queries)

    def _judged(self, seen: Seen) -> dict[str, Verdict]:
        return {
            name: power_verdict.judge(seen, Source(name, energy=name, range_J=range_J))
            for name, range_J in self._ranges.items()
        }

    def _verdict(self, seen: Seen) -> Verdict:
        """All domains together; no power where one of them has none."""
        return power_verdict.together(list(self._judged(seen).values()))

    def _others(self, seen: Seen, verdict: Verdict) -> dict[str, float]:
        del verdict
        judged = self._judged(seen)
        found = {}
        for reading, is_memory in (("package_power_W", False), ("dram_power_W", True)):
            kind = [each for name, each in judged.items() if name.endswith("dram") == is_memory]
            if kind and (best := power_verdict.together(kind).best):
                found[reading] = best.watts
        return found


def probe(device: str) -> PowerRapl:
    """Reads the machine's processors, whatever device the model runs on."""
    return PowerRapl(device, POWERCAP)
