"""Control groups of cases that run short of memory: made below this process' own, and removed afterwards."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from bench import control_group
from bench.errors import Unsupported


def limited(limit_B: int) -> Callable[[], None]:
    """Move this process into a group below its own that may hold `limit_B`; what moves it out and removes the group.

    Raises `Unsupported` where that is not allowed.
    """
    group = control_group.memory_group()
    if group is None:
        raise Unsupported("This process stands in no control group for memory.")
    below = group.directory / f"known-walls-{os.getpid()}"
    try:
        below.mkdir()
    except OSError as error:
        raise Unsupported(f"No control group can be made: {error}.") from None

    def leave() -> None:
        (group.directory / "cgroup.procs").write_text(str(os.getpid()))
        below.rmdir()

    try:
        name = "memory.limit_in_bytes" if group.version == 1 else "memory.max"
        (below / name).write_text(str(limit_B))
        (below / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        below.rmdir()
        raise Unsupported(f"The control group takes no limit: {error}.") from None
    return leave


def remove_groups() -> None:
    """Remove the control groups of cases that were killed."""
    group = control_group.memory_group()
    for folder in group.directory.glob("known-walls-*") if group else ():
        if not Path(f"/proc/{folder.name.rpartition('-')[2]}").exists():
            with contextlib.suppress(OSError):  # the kernel is still taking it down
                folder.rmdir()
