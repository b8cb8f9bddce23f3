"""What the kernel's control groups allow a process and have counted for it: memory, cores, out-of-memory kills.

Reads version 1 (a hierarchy per controller), version 2 (one hierarchy) and machines that mix them. A limit of any
ancestor binds, so limits are the smallest up to the mount point: what lies above it cannot be seen from a container.
Sources: the kernel's admin-guide/cgroup-v1/memory.rst, scheduler/sched-bwc.rst and admin-guide/cgroup-v2.rst.

Every function takes `root`, the folder that stands for `/`, and answers None where the kernel does not say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Pid = int | Literal["self"]
_ROOT = Path("/")

#: Version 1 writes "unlimited" as the largest count of whole pages below 2^63 bytes, which depends on the page's size.
_UNLIMITED_B = 2**62


@dataclass(frozen=True)
class Group:
    """A group's folder and the mount point above it. Both outlive the processes in the group, as do its counters."""

    directory: Path
    mount: Path
    version: Literal[1, 2]

    def lineage(self) -> Iterator[Path]:
        """The group's folder and its ancestors, up to the mount point."""
        for folder in (self.directory, *self.directory.parents):
            yield folder
            if folder == self.mount:
                return

    def oom_kills(self) -> int | None:
        """How many of the group's processes the kernel has killed for want of memory, ever."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        for line in (_read(self.directory / name) or "").splitlines():
            key, _, count = line.partition(" ")
            if key == "oom_kill":
                return int(count)
        return None

    def throttled_s(self) -> float | None:
        """Seconds for which a quota stopped the group, or the ancestor that was stopped longest, ever."""
        name, unit = ("throttled_time", 1e9) if self.version == 1 else ("throttled_usec", 1e6)
        lines = [line for folder in self.lineage() for line in (_read(folder / "cpu.stat") or "").splitlines()]
        return max((int(line.split()[1]) / unit for line in lines if line.startswith(f"{name} ")), default=None)


def memory_group(pid: Pid = "self", root: Path = _ROOT) -> Group | None:
    """The group that the process' memory is charged to; ask before it dies to read the counters afterwards."""
    return _group("memory", pid, root)


def memory_limit_B(pid: Pid = "self", root: Path = _ROOT) -> int | None:
    """The smallest limit over the group and its ancestors, in bytes; None where there is none."""
    group = memory_group(pid, root)
    if group is None:
        return None
    name = "memory.limit_in_bytes" if group.version == 1 else "memory.max"
    limits = [limit for folder in group.lineage() if (limit := _number(folder / name)) is not None]
    return min((limit for limit in limits if limit < _UNLIMITED_B), default=None)


def memory_used_B(pid: Pid = "self", root: Path = _ROOT) -> int | None:
    """Bytes charged to the group now, page cache included."""
    return _memory(pid, root, "memory.usage_in_bytes", "memory.current")


def memory_peak_B(pid: Pid = "self", root: Path = _ROOT) -> int | None:
    """The most bytes that were ever charged to the group, page cache included (version 2: from Linux 5.19 on)."""
    return _memory(pid, root, "memory.max_usage_in_bytes", "memory.peak")


def memory_droppable_B(pid: Pid = "self", root: Path = _ROOT) -> int:
    """Bytes of the group that are pages of files not read lately, which the kernel drops before it kills anyone."""
    group = memory_group(pid, root)
    for line in (_read(group.directory / "memory.stat") or "").splitlines() if group else ():
        name, _, count = line.partition(" ")
        if name == ("total_inactive_file" if group and group.version == 1 else "inactive_file"):
            return int(count)
    return 0


def oom_kills(pid: Pid = "self", root: Path = _ROOT) -> int | None:
    """`Group.oom_kills` of the process' group (version 1: from Linux 4.13 on)."""
    group = memory_group(pid, root)
    return group.oom_kills() if group else None


def cpu_group(pid: Pid = "self", root: Path = _ROOT) -> Group | None:
    """The group that the process' time on the processor is charged to."""
    return _group("cpu", pid, root)


def cpu_quota(pid: Pid = "self", root: Path = _ROOT) -> float | None:
    """Cores' worth of time that the group may use: quota over period, the smallest up to the mount point."""
    group = cpu_group(pid, root)
    if group is None:
        return None
    quotas = (_quota(folder, group.version) for folder in group.lineage())
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota(folder: Path, version: int) -> float | None:
    if version == 1:
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        return quota / period if quota is not None and period and quota > 0 else None
    quota_word, _, period_word = (_read(folder / "cpu.max") or "").strip().partition(" ")
    return int(quota_word) / int(period_word) if quota_word.isdigit() and period_word.isdigit() else None


def _memory(pid: Pid, root: Path, first: str, second: str) -> int | None:
    group = memory_group(pid, root)
    return _number(group.directory / (first if group.version == 1 else second)) if group else None


def _group(controller: str, pid: Pid, root: Path) -> Group | None:
    """Where the process stands in the hierarchy that has the controller: version 1 if one claims it, else version 2."""
    groups: dict[str, str] = {}
    for line in (_read(root / "proc" / str(pid) / "cgroup") or "").splitlines():
        _, controllers, place = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), place))
    version: Literal[1, 2] = 1 if controller in groups else 2
    path = groups.get(controller if version == 1 else "")
    mounted = _mount(controller, version, root)
    if path is None or mounted is None:
        return None
    top, mount = mounted
    try:
        directory = mount / Path(path).relative_to(top)
    except ValueError:  # the process stands outside what is mounted here: the mount point is the nearest that we see
        directory = mount
    if ".." in directory.parts or not directory.is_dir():
        directory = mount
    return Group(directory, mount, version)


def _mount(controller: str, version: int, root: Path) -> tuple[str, Path] | None:
    """Which group is mounted, and where. mountinfo: `id parent device ROOT POINT options ... - TYPE source OPTIONS`."""
    for line in (_read(root / "proc/self/mountinfo") or "").splitlines():
        left, _, right = line.partition(" - ")
        top, point = left.split()[3:5]
        kind, _, options = right.split()[:3]
        if kind == ("cgroup" if version == 1 else "cgroup2") and (version == 2 or controller in options.split(",")):
            return top, root / point.lstrip("/")
    return None


def _number(path: Path) -> int | None:
    text = (_read(path) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None
