"""What the kernel counts for this process and the thread that asks: time on the processor, waiting, faults, storage.

Sources: proc_pid_schedstat(5) and the kernel's scheduler/sched-stats.rst, proc_pid_io(5), getrusage(2),
accounting/psi.rst. `root` is the folder that stands for `/`.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bench import control_group, environment

Number = TypeVar("Number", int, float)

_ROOT = Path("/")
_NOT_LINUX = "Only Linux tells it."


@dataclass(frozen=True)
class Counters:
    """Seconds and counts since some moment; None where the kernel does not say, with the reason in `unavailable`.

    `cpu_s` is of all threads; `thread_s` (on the processor), `queued_s` (ready, but another ran) and `switches`
    (voluntary) are of the thread that asks. `waited_s` is how long it waited for storage, `stalled_s` how long some
    task waited for memory.
    """

    at_s: float
    cpu_s: float
    thread_s: float
    queued_s: float | None = None
    switches: int | None = None
    major_faults: int | None = None
    minor_faults: int | None = None
    read_B: int | None = None
    waited_s: float | None = None
    stalled_s: float | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict)


def look(root: Path = _ROOT) -> Counters:
    """The counters now. Takes well under a millisecond."""
    unavailable: dict[str, str] = {}
    switches = major = minor = None
    if sys.platform == "linux":
        import resource

        switches = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        used = resource.getrusage(resource.RUSAGE_SELF)
        major, minor = used.ru_majflt, used.ru_minflt
    else:
        unavailable |= dict.fromkeys(("switches", "major_faults", "minor_faults"), _NOT_LINUX)
    queued = _read(root / "proc/thread-self/schedstat", _queued)
    if queued is None:
        unavailable["idle_s"] = "The kernel does not tell how long a thread was ready but not run, so that is in it."
    read_B = _read(root / "proc/self/io", _read_bytes)
    if read_B is None:
        unavailable["read_B"] = "The kernel does not tell what this process reads from storage (/proc/self/io)."
    waited = None
    if (environment.text(root / "proc/sys/kernel/task_delayacct") or "0").strip() != "0":
        waited = _read(root / "proc/thread-self/stat", _waited)
    if waited is None:
        unavailable["read_s"] = "The kernel does not count waiting for storage: sysctl kernel.task_delayacct=1 lets it."
    stalled = _read(_pressure(root), _stalled)
    if stalled is None:
        unavailable["stalled_s"] = "The kernel has no pressure stall information for memory."
    return Counters(
        time.perf_counter(),
        time.process_time(),
        time.thread_time(),
        queued,
        switches,
        major,
        minor,
        read_B,
        waited,
        stalled,
        unavailable,
    )


def _read(path: Path, parse: Callable[[str], Number | None]) -> Number | None:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, IndexError):
        return None


def _queued(text: str) -> float:
    """Second field: nanoseconds spent waiting on a run queue."""
    return int(text.split()[1]) / 1e9


def _read_bytes(text: str) -> int | None:
    found = [int(line.split()[1]) for line in text.splitlines() if line.startswith("read_bytes:")]
    return found[0] if found else None


def _waited(text: str) -> float:
    """Field 42, delayacct_blkio_ticks; the name in field 2 may hold blanks, but no closing bracket after its own."""
    return int(text.rpartition(")")[2].split()[39]) / os.sysconf("SC_CLK_TCK")


def _stalled(text: str) -> float | None:
    """Microseconds at the end of `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`."""
    total = text.partition("\n")[0].rpartition("total=")[2]
    return int(total) / 1e6 if total.isdigit() else None


def _pressure(root: Path) -> Path:
    """Our own control group's where it has one, else the whole system's."""
    group = control_group.memory_group(root=root)
    own = None if group is None else group.directory / "memory.pressure"
    return own if own is not None and own.exists() else root / "proc/pressure/memory"


def memory(root: Path = _ROOT) -> tuple[int, int | None]:
    """Bytes that are held, and how many may be (None: no limit): by the tightest of the limits on this process.

    That is the control group, whose pages of files that can be dropped are not counted, or what `setrlimit` allows.
    """
    status = environment.text(root / "proc/self/status") or ""
    peak = _kilobytes(status, "VmHWM")
    found: list[tuple[int, int]] = []
    limit, used = control_group.memory_limit_B(root=root), control_group.memory_used_B(root=root)
    if limit is not None and used is not None:
        found.append((max(used - control_group.memory_droppable_B(root=root), peak), limit))
    if sys.platform == "linux":
        import resource

        for name, line in (("RLIMIT_DATA", "VmData"), ("RLIMIT_AS", "VmPeak")):
            soft, _ = resource.getrlimit(getattr(resource, name))
            if soft != resource.RLIM_INFINITY:
                found.append((_kilobytes(status, line), soft))
    return max(found, key=lambda pair: pair[0] / max(pair[1], 1), default=(peak, None))


def _kilobytes(status: str, name: str) -> int:
    for line in status.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
