"""What disturbed a block: counters that the kernel keeps, read just before it and just after.

Foreign load is what our cores did, less what this process did with all its threads. The other points of a group and
the parent are no part of it as long as they sleep on their pipes, since sleeping takes no processor time; where threads
of theirs spin on, they disturb, and rightly count. Workers that this process starts count as foreign.

The processor's times come in ticks (10 ms), as long as half a block: only their mean over many blocks means something.
So a block's share may be negative, and is left so, lest the mean be biased.
"""

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from statistics import stdev

from bench import control_group, environment
from bench.record import Block, MetricInfo, Warn

_ROOT = Path("/")

#: What of a block's readings stands in a record for everyone to see; the rest is kept with the block, for warnings.
PROVIDES = {
    "steal_share": MetricInfo("", -1, "processor time that other virtual machines took", "mean"),
    "foreign_share": MetricInfo("", -1, "processor time that other processes took", "mean"),
    "cpu_clock_Hz": MetricInfo("Hz", 0, "clock of the processor"),
}

#: Warnings of a block that tell of company: no reason why a probe could not read something.
OF_NEIGHBOURS = {"foreign_load", "foreign_gpu_process"}

#: Shares of the time above which a disturbance is warned about: 1 % is half of the 2 % that ratios are to be known to.
MOST_STEAL = 0.01
MOST_THROTTLED = 0.01
MOST_STALLED = 0.01
#: What others take of the cores lengthens a time that needs all of them by no less: as much as ratios are to be known
#: to. It is a difference of two counts, one of them in ticks as long as half a block, so it counts only where it is so
#: many standard errors above the limit.
MOST_FOREIGN = 0.02
_SURE_ERRORS = 2.0
#: A page that comes from a disk takes about 0.1 ms (an SSD), so that many in a second are 1 % of the time.
MOST_PAGES_PER_S = 100.0

#: Reading a file for each of very many cores would take longer than a block; a package's counters are on each core.
_CORES_LOOKED_AT = 8


@dataclass(frozen=True)
class Counters:
    """One look at the kernel's counters. Seconds are summed over our cores; None stands for what is not told.

    `stalled_s` is how long some task waited for `cpu`, `memory` or `io` (pressure stall information).
    """

    at_s: float
    cores: int
    busy_s: float | None = None
    stolen_s: float | None = None
    own_s: float | None = None
    preemptions: int | None = None
    major_faults: int | None = None
    swapped_pages: int | None = None
    quota_throttled_s: float | None = None
    thermal_events: int | None = None
    stalled_s: Mapping[str, float] = field(default_factory=dict)


class Watch:
    """Looks at the counters, for this process. `root` is the folder that stands for `/`."""

    def __init__(self, root: Path = _ROOT) -> None:
        self._root = root
        self._cores = environment.our_cores()
        self._names = {f"cpu{core}" for core in self._cores}
        self._group = control_group.cpu_group(root=root)
        looked_at = [root / f"sys/devices/system/cpu/cpu{core}" for core in self._cores[:_CORES_LOOKED_AT]]
        self._clocks = _there(place / "cpufreq/scaling_cur_freq" for place in looked_at)
        self._thermal = _there(
            place / f"thermal_throttle/{name}_throttle_count" for place in looked_at for name in ("core", "package")
        )
        self._pressure = {name: root / f"proc/pressure/{name}" for name in ("cpu", "memory", "io")}
        self._ticks_per_s = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

    def look(self) -> Counters:
        """The counters now. Takes well under a millisecond."""
        now = time.perf_counter()
        if sys.platform != "linux":
            return Counters(now, len(self._cores))
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        busy, stolen = self._times()
        return Counters(
            at_s=now,
            cores=len(self._cores),
            busy_s=busy,
            stolen_s=stolen,
            own_s=used.ru_utime + used.ru_stime,
            preemptions=used.ru_nivcsw,
            major_faults=used.ru_majflt,
            swapped_pages=_swapped(environment.text(self._root / "proc/vmstat")),
            quota_throttled_s=self._group.throttled_s() if self._group else None,
            thermal_events=sum(environment.number(path) or 0 for path in self._thermal) if self._thermal else None,
            stalled_s={
                name: stalled for name, path in self._pressure.items() if (stalled := _stalled(path)) is not None
            },
        )

    def unavailable(self) -> dict[str, str]:
        """For each reading of `PROVIDES` that cannot be had here, the reason."""
        found = {}
        if self._times()[0] is None:
            found = dict.fromkeys(("steal_share", "foreign_share"), "the system does not tell how its cores are used")
        if not self._clocks:
            found["cpu_clock_Hz"] = "the system, or its hypervisor, hides it"
        return found

    def clock_hertz(self) -> float | None:
        """The fastest clock of our cores now (idle ones are slow); None where it is hidden."""
        clocks = [clock for path in self._clocks if (clock := environment.number(path)) is not None]
        return max(clocks) * 1e3 if clocks else None

    def _times(self) -> tuple[float | None, float | None]:
        """Seconds that our cores were busy, and that were stolen from them, since boot.

        Columns of /proc/stat: user nice system idle iowait irq softirq steal guest; guests are in user already.
        """
        busy = stolen = 0
        for line in (environment.text(self._root / "proc/stat") or "").splitlines():
            name, *columns = line.split()
            if not name.startswith("cpu"):
                break
            if name in self._names:
                user, nice, system, _, _, irq, soft_irq, steal = map(int, columns[:8])
                busy += user + nice + system + irq + soft_irq
                stolen += steal
        return (busy / self._ticks_per_s, stolen / self._ticks_per_s) if busy else (None, None)


def readings(before: Counters, after: Counters) -> dict[str, float]:
    """What happened between two looks, as shares of the time or per second; what is not told is absent."""
    seconds = max(after.at_s - before.at_s, 1e-9)
    capacity = seconds * after.cores
    busy, own = _gone(before.busy_s, after.busy_s), _gone(before.own_s, after.own_s)
    rates = {
        "steal_share": (_gone(before.stolen_s, after.stolen_s), capacity),
        "foreign_share": (None if busy is None or own is None else busy - own, capacity),
        "preemptions_per_s": (_gone(before.preemptions, after.preemptions), seconds),
        "major_faults_per_s": (_gone(before.major_faults, after.major_faults), seconds),
        "swapped_pages_per_s": (_gone(before.swapped_pages, after.swapped_pages), seconds),
        "quota_throttled_share": (_gone(before.quota_throttled_s, after.quota_throttled_s), seconds),
        "thermal_events_per_s": (_gone(before.thermal_events, after.thermal_events), seconds),
    }
    return {name: amount / over for name, (amount, over) in rates.items() if amount is not None}


def stalls(before: Counters, after: Counters) -> dict[str, float]:
    """Shares of the time between two looks during which some task waited: `memory_stall_share`.

    The kernel brings these up to date every 2 s (kernel/sched/psi.c), so the looks should lie further apart than a
    block is long.
    """
    seconds = max(after.at_s - before.at_s, 1e-9)
    both = set(before.stalled_s) & set(after.stalled_s)
    return {f"{name}_stall_share": (after.stalled_s[name] - before.stalled_s[name]) / seconds for name in sorted(both)}


def mean(blocks: Sequence[Block], name: str) -> float | None:
    """The mean of a reading over the time that the blocks took; None where no block has it."""
    read = [(block.readings[name], sum(block.samples_ns)) for block in blocks if name in block.readings]
    total = sum(weight for _, weight in read)
    return sum(value * weight for value, weight in read) / total if total else None


def _doubt(blocks: Sequence[Block], name: str) -> float:
    """By how much the mean of a reading may be off by its scatter; without bound where one block does not tell."""
    read = [block.readings[name] for block in blocks if name in block.readings]
    return _SURE_ERRORS * stdev(read) / sqrt(len(read)) if len(read) > 1 else float("inf")


@dataclass(frozen=True)
class _Rule:
    """A reading whose mean over the blocks of a point is above `most` gives the warning."""

    reading: str
    most: float
    code: str
    message: str
    remedy: str


_RULES = (
    _Rule(
        "steal_share",
        MOST_STEAL,
        "noisy_host",
        "Other virtual machines took {mean:.0%} of the processor while this point was measured.",
        "Measure on a quieter machine, or with more --rounds.",
    ),
    _Rule(
        "thermal_events_per_s",
        0.0,
        "throttled",
        "The processor slowed itself down, being too hot, while this point was measured.",
        "Cool it, or let it rest, and measure again.",
    ),
    _Rule(
        "quota_throttled_share",
        MOST_THROTTLED,
        "quota_throttled",
        "The control group's quota stopped this point for {mean:.0%} of the time.",
        "Use fewer --threads, or give the container more processor time.",
    ),
    _Rule(
        "memory_stall_share",
        MOST_STALLED,
        "memory_pressure",
        "Processes waited for memory during {mean:.0%} of the time.",
        "Close what fills the memory, or measure a smaller point.",
    ),
    _Rule(
        "swapped_pages_per_s",
        MOST_PAGES_PER_S,
        "swapping",
        "The machine swapped {mean:,.0f} pages a second while this point was measured.",
        "Close what fills the memory, or measure a smaller point.",
    ),
    _Rule(
        "major_faults_per_s",
        MOST_PAGES_PER_S,
        "page_faults",
        "This point waited for {mean:,.0f} pages a second to be read from a disk.",
        "Free memory, so that files stay in it, and measure again.",
    ),
)


def warnings(blocks: Sequence[Block]) -> list[Warn]:
    """Typed warnings about what disturbed these blocks of a point, each with its remedy."""
    found = []
    for rule in _RULES:
        value = mean(blocks, rule.reading)
        if value is not None and value > rule.most:
            found.append(Warn(rule.code, rule.message.format(mean=value), rule.remedy))
    foreign = mean(blocks, "foreign_share")
    if foreign is not None and foreign > MOST_FOREIGN + _doubt(blocks, "foreign_share"):
        found.append(foreign_load(foreign))
    return found


def foreign_load(share: float, busiest: Sequence[str] = ()) -> Warn:
    """The warning of other processes on our cores: over a point, or over its first blocks with the busiest's names."""
    when = f"in the first blocks of this point, most of all {', '.join(busiest)}" if busiest else ""
    return Warn(
        "foreign_load",
        f"Other processes took {share:.0%} of our cores {when or 'while this point was measured'}.",
        "Stop them, or keep pinchpoint and them on different cores with taskset.",
    )


def _gone(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _there(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.exists()]


def _swapped(vmstat: str | None) -> int | None:
    counts = [line.split()[1] for line in (vmstat or "").splitlines() if line.startswith(("pswpin ", "pswpout "))]
    return sum(map(int, counts)) if counts else None


def _stalled(path: Path) -> float | None:
    """Seconds since boot. The line: `some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS`."""
    some = (environment.text(path) or "").partition("\n")[0]
    _, _, total = some.partition("total=")
    return int(total) / 1e6 if total.isdigit() else None
