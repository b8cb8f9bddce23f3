"""What the machine is set to: read once for a run, kept with the host's facts, and warned about where it harms figures.

Everything is read from files that the kernel keeps (Documentation/ABI/testing/sysfs-devices-system-cpu, admin-guide/pm/
cpufreq.rst, admin-guide/mm/transhuge.rst, admin-guide/sysctl/vm.rst, filesystems/proc.rst). What cannot be read is
None. None of it is part of the host's fingerprint.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench import control_group
from bench.record import Value, Warn

_ROOT = Path("/")

#: What the libraries under torch read to choose their threads: GNU's, Intel's and LLVM's OpenMP, MKL and OpenBLAS.
_THREAD_VARIABLES = ("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_")

#: Libraries that replace malloc where they are loaded, by a word of their file's name.
_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")

#: Where more than this share of the memory was swapped out, what is measured may have to come back from the disk.
MOST_SWAPPED = 0.01


def read(root: Path = _ROOT, variables: Mapping[str, str] | None = None) -> dict[str, Value | None]:
    """The settings as plain values. `root` is the folder that stands for `/`, `variables` the environment's."""
    cores = our_cores()
    variables = os.environ if variables is None else variables
    cpu = root / "sys/devices/system/cpu"
    first = cpu / f"cpu{cores[0]}/cpufreq"
    top_kHz = number(first / "cpuinfo_max_freq")
    return {
        "cpu_governor": text(first / "scaling_governor"),
        "cpu_max_Hz": None if top_kHz is None else top_kHz * 1e3,
        "turbo": _turbo(cpu),
        "smt": _switch(text(cpu / "smt/active")),
        "virtual_machine": _virtual(root),
        "cores_allowed": listed(cores),
        "cpu_quota_cores": control_group.cpu_quota(root=root),
        "numa_nodes": _nodes(root, cores),
        "transparent_huge_pages": _chosen(text(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        "swap_used_B": _swap_used_B(root),
        "swappiness": number(root / "proc/sys/vm/swappiness"),
        "aslr": {"0": "off", "1": "on, without the heap", "2": "on"}.get(
            text(root / "proc/sys/kernel/randomize_va_space") or ""
        ),
        "allocator": _allocator(root),
        "thread_settings": " ".join(
            f"{name}={value}" for name, value in sorted(variables.items()) if name.startswith(_THREAD_VARIABLES)
        )
        or None,
    }


def our_cores() -> list[int]:
    """Numbers of the cores that this process may run on, in order."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def warnings(facts: Mapping[str, Value | None]) -> list[Warn]:
    """What makes figures less trustworthy, from a host's facts and the `threads` that torch used.

    A setting that is not known is not warned about.
    """
    checks = (_powersave, _oversubscribed, _short_quota, _contradicted, _spinning, _swapped, _several_nodes)
    return [warning for check in checks if (warning := check(facts)) is not None]


def _powersave(facts: Mapping[str, Value | None]) -> Warn | None:
    if facts.get("cpu_governor") != "powersave":
        return None
    return Warn(
        "powersave",
        "The frequency governor of the processor is powersave, so its clock follows the load.",
        "Set it for the measurement: sudo cpupower frequency-set -g performance.",
    )


def _oversubscribed(facts: Mapping[str, Value | None]) -> Warn | None:
    threads, cores = facts.get("threads"), facts.get("cores")
    if threads is None or cores is None or float(threads) <= float(cores):
        return None
    return Warn(
        "oversubscribed",
        f"{threads} threads share {cores} cores, so they wait for each other.",
        f"Use at most {cores} with --threads.",
    )


def _short_quota(facts: Mapping[str, Value | None]) -> Warn | None:
    threads, quota = facts.get("threads"), facts.get("cpu_quota_cores")
    if threads is None or quota is None or float(threads) <= float(quota):
        return None
    return Warn(
        "short_quota",
        f"The control group's quota is {float(quota):g} cores for {threads} threads: they are stopped once it is used.",
        f"Use {max(int(float(quota)), 1)} with --threads, or give the container more processor time.",
    )


def _contradicted(facts: Mapping[str, Value | None]) -> Warn | None:
    asked, threads = _setting(facts, "OMP_NUM_THREADS"), facts.get("threads")
    first = (asked or "").partition(",")[0]  # a list is for nested regions
    if threads is None or not first.isdigit() or int(first) == int(threads):
        return None
    return Warn(
        "threads_contradicted",
        f"OMP_NUM_THREADS is {asked}, but torch is given {threads} threads.",
        f"Ask for what you mean with --threads {first}, or unset OMP_NUM_THREADS.",
    )


def _spinning(facts: Mapping[str, Value | None]) -> Warn | None:
    policy = (_setting(facts, "OMP_WAIT_POLICY") or "").lower()
    forever = (_setting(facts, "KMP_BLOCKTIME") or "").lower() == "infinite"
    if policy != "active" and not forever:
        return None
    return Warn(
        "spinning_threads",
        "OMP_WAIT_POLICY or KMP_BLOCKTIME lets idle threads spin, so points that wait disturb the one that runs.",
        "Unset them.",
    )


def _swapped(facts: Mapping[str, Value | None]) -> Warn | None:
    used, memory = facts.get("swap_used_B"), facts.get("memory_of_machine_B")
    if used is None or not memory or float(used) <= MOST_SWAPPED * float(memory):
        return None
    return Warn(
        "swap_in_use",
        f"{float(used) / 2**20:,.0f} MiB of memory are swapped out.",
        "Close what fills the memory, then: sudo swapoff -a && sudo swapon -a.",
    )


def _several_nodes(facts: Mapping[str, Value | None]) -> Warn | None:
    nodes = facts.get("numa_nodes")
    if nodes is None or int(nodes) <= 1:
        return None
    return Warn(
        "numa",
        f"The cores are on {nodes} NUMA nodes: where memory comes to lie changes from one process to the next.",
        "Keep to one: numactl --cpunodebind=0 --membind=0 pinchpoint ...",
    )


def _setting(facts: Mapping[str, Value | None], name: str) -> str | None:
    found = re.search(rf"(?:^| ){name}=(\S+)", str(facts.get("thread_settings") or ""))
    return found[1] if found else None


def _turbo(cpu: Path) -> str | None:
    if (none := text(cpu / "intel_pstate/no_turbo")) is not None:
        return "off" if none == "1" else "on"
    return _switch(text(cpu / "cpufreq/boost"))


def _virtual(root: Path) -> str | None:
    """`yes` or `no` by the processor's flag for a hypervisor, which only x86 has."""
    for line in (text(root / "proc/cpuinfo") or "").splitlines():
        if line.startswith("flags"):
            return "yes" if "hypervisor" in line.split() else "no"
    return None


def _nodes(root: Path, cores: Iterable[int]) -> int | None:
    """How many NUMA nodes our cores are on."""
    places = (root / f"sys/devices/system/cpu/cpu{core}" for core in cores)
    return len({node.name for place in places for node in place.glob("node[0-9]*")}) or None


def _chosen(line: str | None) -> str | None:
    """The word in brackets: `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", line or "")
    return found[1] if found else None


def _swap_used_B(root: Path) -> int | None:
    lines = dict(line.split(":", 1) for line in (text(root / "proc/meminfo") or "").splitlines() if ":" in line)
    if not {"SwapTotal", "SwapFree"} <= set(lines):
        return None
    total, free = (int(lines[name].split()[0]) * 1024 for name in ("SwapTotal", "SwapFree"))
    return total - free


def _allocator(root: Path) -> str | None:
    """What answers malloc in this process, and in its children, which inherit LD_PRELOAD."""
    mapped = text(root / "proc/self/maps")
    if mapped is None:
        return None
    found = [name for name in _ALLOCATORS if name in mapped]
    return found[0] if found else "glibc" if re.search(r"/libc[.-]", mapped) else "unknown"


def _switch(digit: str | None) -> str | None:
    return {"0": "off", "1": "on"}.get(digit or "")


def listed(numbers: Iterable[int]) -> str:
    """Numbers as the kernel writes a list of cores: `0-3,8`."""
    runs: list[list[int]] = []
    for each in sorted(numbers):
        if runs and each == runs[-1][-1] + 1:
            runs[-1].append(each)
        else:
            runs.append([each])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def text(path: Path) -> str | None:
    """What a file of the kernel says; None where it is not there, or not for us to read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def number(path: Path) -> int | None:
    """The whole number in a file of the kernel; None where there is none."""
    said = text(path) or ""
    return int(said) if said.isdigit() else None


def readable(root: Path = _ROOT) -> dict[str, str | None]:
    """What can be watched while something is measured: None where it can, otherwise why not, for `doctor`."""
    if sys.platform != "linux":
        return dict.fromkeys(("steal", "foreign load"), "only Linux tells it")
    cpu = root / f"sys/devices/system/cpu/cpu{our_cores()[0]}"
    virtual = _virtual(root) == "yes"
    hidden = "the hypervisor hides it from a virtual machine" if virtual else "the kernel has no driver for it here"
    files = {
        "steal and foreign load": (root / "proc/stat", "/proc is not mounted"),
        "clock of the processor": (cpu / "cpufreq/scaling_cur_freq", hidden),
        "thermal throttling": (cpu / "thermal_throttle/core_throttle_count", hidden),
        "memory pressure": (root / "proc/pressure/memory", "the kernel is built or booted without psi=1"),
        "swapping": (root / "proc/vmstat", "/proc is not mounted"),
    }
    found = {name: None if text(path) is not None else reason for name, (path, reason) in files.items()}
    group = control_group.cpu_group(root=root)
    told = group is not None and group.throttled_s() is not None
    found["throttling by quota"] = None if told else "the control group counts none"
    return found | {"counters of the processor (perf)": _why_no_perf(root)}


def _why_no_perf(root: Path) -> str | None:
    """By kernel.perf_event_paranoid: from 3 on (Debian's) an ordinary user gets nothing; 2 allows his own processes."""
    level = text(root / "proc/sys/kernel/perf_event_paranoid")
    if level is None:
        return "the kernel is built without perf events"
    if not list((root / "sys/bus/event_source/devices").glob("cpu*")):
        return "the processor, or its hypervisor, offers none"
    if int(level) > 2 and os.geteuid() != 0:
        return f"not permitted: kernel.perf_event_paranoid is {level}; sudo sysctl kernel.perf_event_paranoid=2"
    return None
