"""What memory costs that the system has to hand out anew: a page is mapped, cleared at its first touch, and given back.

C libraries return freed memory to the system, large blocks at once, so a tensor that is made in each iteration may lie
on fresh pages each time.
"""

import mmap
import time

import torch

from bench import devices
from bench.ceilings import Ceiling, Setting, missing
from bench.ceilings._race import Contender, as_duration, fastest

LABEL = "fresh page"
#: Touching 4,096 pages takes some 5 ms, against 50 ns to read the clock.
SIZE_B = 2**24


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Seconds from mapping to unmapping for each page fault, which of a huge page is one."""
    try:
        import resource
    except ImportError:
        return {"fresh_page_s": missing(LABEL, "s", -1, "This system counts no page faults.")}
    if devices.resolve(setting.device).type != "cpu":
        return {"fresh_page_s": missing(LABEL, "s", -1, "torch keeps the memory of a GPU that tensors leave.")}
    devices.set_threads(setting.threads)
    faults = 0

    def once() -> float:
        nonlocal faults
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        began = time.perf_counter()
        memory = mmap.mmap(-1, SIZE_B)
        pages = torch.frombuffer(memory, dtype=torch.uint8)
        pages[:: mmap.PAGESIZE].fill_(1)
        del pages
        memory.close()
        passed = time.perf_counter() - began
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        return passed

    once()
    how = f"map, touch and unmap {SIZE_B >> 20} MiB: {faults} faults"
    contender = Contender(lambda iterations: [once() for _ in range(iterations)], max(faults, 1))
    return {"fresh_page_s": as_duration(fastest({how: contender}), LABEL, how)}
