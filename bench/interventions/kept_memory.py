"""The same work in a process that keeps what it frees, so that new tensors lie on pages that it already has.

A C library hands large blocks back to the system, which clears fresh pages when they are touched (mallopt(3)).
"""

from bench.interventions import Change, Conditions, Setting

LABEL = "freed memory kept"
#: Each of the two processes leaves the other's tensors out of the cache, so both run for so long untimed first.
_LEAD_IN_S = 0.1


def unavailable(setting: Setting) -> str | None:
    """It takes a C library whose habit can be changed, and tensors in the memory that it hands out."""
    if not setting.on_cpu:
        return "The model runs on a GPU, where torch keeps what tensors leave."
    if not setting.linux:
        return "Only glibc, on Linux, can be told to keep freed memory."
    return None


def change(_setting: Setting) -> Change:
    """A second resident process, which keeps memory from its start."""
    usual = Conditions(lead_in_s=_LEAD_IN_S)
    return Change(usual, usual, keeps_memory=True)
