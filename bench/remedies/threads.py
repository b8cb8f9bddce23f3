"""More threads where cores are left, fewer where sharing out small work costs more than it saves."""

from dataclasses import replace

from bench.kernels import Kernel
from bench.remedies import Change, Refused, Situation


def changes(situation: Situation) -> list[Change | Refused]:
    """Half of the threads, and all cores where some are left."""
    if not situation.on_cpu:
        return [Refused({"threads": situation.threads}, "The model runs on a GPU.")]
    found: list[Change | Refused] = []
    if situation.threads > 1:
        found.append(_change(situation.threads // 2))
    if situation.threads < situation.cores:
        found.append(_change(situation.cores))
    return found or [Refused({"threads": 2}, "One core only: there is none that another thread could have.")]


def _change(threads: int) -> Change:
    def kernel(each: Kernel) -> Kernel:
        return replace(each, threads=threads)

    return Change({"threads": threads}, kernel)
