"""The machine: what it is, how much of it we may use, and how it is set up."""

import contextlib
import ctypes
import gc
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from bench import control_group, environment, nvml
from bench.errors import Unsupported
from bench.record import Value

#: Options of mallopt(3): M_MMAP_MAX (no block is mapped by itself), M_TRIM_THRESHOLD and M_TOP_PAD (1 GiB at the end of
#: the heap stays, and it grows by 64 MiB at a time).
_KEEP = ((-4, 0), (-1, 2**30), (-2, 2**26))

#: What must match before two records may be compared: the hardware we may use, its power limit, and what runs on it.
IDENTITY = (
    "cpu",
    "cores",
    "memory_B",
    "accelerator",
    "accelerator_memory_B",
    "power_limit_W",
    "driver",
    "python",
    "torch",
    "os",
)
#: What names a person's machine or folder; an export leaves it out unless it is asked for.
PRIVATE = ("host_name",)


def describe() -> dict[str, Value | None]:
    """The host and its settings as plain values, with a `fingerprint` over `IDENTITY`. Imports no torch."""
    facts: dict[str, Value | None] = {
        "cpu": _cpu(),
        "cores": usable_cores(),
        "cores_of_machine": os.cpu_count(),
        "memory_B": usable_memory_B(),
        "memory_of_machine_B": psutil.virtual_memory().total,
        "os": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "pinchpoint": _version("pinchpoint"),
        "torch": _version("torch"),
        "numpy": _version("numpy"),
        "git_commit": _git("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"),
        "git_branch": _git("branch", "--show-current"),
        "host_name": platform.node(),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    facts |= _accelerator() | environment.read()
    identity = {name: facts[name] for name in IDENTITY}
    return facts | {"fingerprint": hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}


def _accelerator() -> dict[str, Value | None]:
    """The first GPU and how many there are; all None where there is none."""
    gpus = nvml.describe()
    first = gpus[0] if gpus else {}
    return {
        "accelerator": first.get("name"),
        "accelerators": len(gpus),
        "accelerator_memory_B": first.get("memory_B"),
        "power_limit_W": first.get("power_limit_W"),
        "driver": first.get("driver"),
    }


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use: by affinity, and by the control group's quota (rounded up).

    `root` is the folder that stands for `/`.
    """
    allowed = len(environment.our_cores())
    quota = control_group.cpu_quota(root=root)
    return allowed if quota is None else max(1, min(allowed, -int(-quota // 1)))


def usable_memory_B() -> int:
    """Memory that this process may use: the machine's, or the control group's limit where that is less."""
    total = psutil.virtual_memory().total
    limit = control_group.memory_limit_B()
    return total if limit is None else min(total, limit)


def available_memory_B() -> int:
    """Memory that could be taken now without pushing anything out."""
    free = psutil.virtual_memory().available
    limit, used = control_group.memory_limit_B(), control_group.memory_used_B()
    return free if limit is None or used is None else min(free, max(limit - used, 0))


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*asked: str) -> str | None:
    """What git says of the checkout that pinchpoint runs from; None without one, or where it has no answer.

    The commit ends in `-dirty` where the checkout was changed; a detached one has no branch.
    """
    command = ["git", "-C", str(Path(__file__).resolve().parent), *asked]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def return_freed_memory() -> None:
    """Give freed memory back to the system, lest what building a model took for a moment counts as the model's own."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
        if trim is not None:
            trim(0)


def keep_freed_memory() -> None:
    """Never give freed memory back from now on: large blocks come from the heap, and its end stays. Needs glibc.

    Raises `Unsupported` where the C library cannot be told so.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if tell is None or not all(tell(option, value) for option, value in _KEEP):
        raise Unsupported("This C library cannot be told to keep freed memory (mallopt).")


def limit_own_memory(limit_B: int) -> None:
    """Let the kernel refuse this process memory far beyond `limit_B` bytes, and beyond what is free (Linux only).

    Torch then reports that it is out of memory. The kernel counts what is asked for, touched or not: oneDNN leaves
    most of an LSTM's workspace untouched. So where there is room half as much again may be asked for; whether the
    limit was kept is told by the peak.
    """
    if sys.platform != "linux":
        return
    import resource

    held = psutil.Process().memory_info().rss
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData:"))
    data = int(line.split()[1]) * 1024
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = max(limit_B, min(limit_B * 3 // 2, held + int(0.95 * available_memory_B())))
    resource.setrlimit(resource.RLIMIT_DATA, (data + max(allowed - held, 0), hard))


def die_with_parent() -> None:
    """In a child: be killed when the process that started it ends, however that ends (Linux only)."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1  # <linux/prctl.h>
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def adopt_orphan_policy() -> None:
    """In a child: die with the parent, and be the first that the kernel kills when memory runs out (Linux only)."""
    die_with_parent()
    if sys.platform != "linux":
        return
    # A container may forbid it; the kernel then chooses by size, which is most often the child anyway.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
