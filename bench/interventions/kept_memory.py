"""The same work in a process that keeps what it frees, so that new tensors lie on pages that it already has.

A C library hands large blocks back to the system, which clears fresh pages when they are touched (mallopt(3)).
"""

from bench.interventions import Change, Setting

LABEL = "freed memory kept"


def unavailable(setting: Setting) -> str | None:
    """It takes a C library whose habit can be changed, and tensors in the memory that it hands out."""
    if not setting.on_cpu:
        return "The model runs on a GPU, where torch keeps what tensors leave."
    if not setting.linux:
        return "Only glibc, on Linux, can be told to keep freed memory."
    return None


def change(_setting: Setting) -> Change:
    """A second resident process, which keeps memory from its start."""
    return Change(keeps_memory=True)
