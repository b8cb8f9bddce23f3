"""What memory costs that the system hands out anew: it clears each page when that is first touched.

C libraries return freed memory to the system, large blocks at once, so a tensor that is made in each iteration may lie
on fresh pages each time. Giving pages back costs time as well, which is not in the figure.
"""

import mmap
from functools import partial
from statistics import median

import torch

from bench import devices
from bench.ceilings import Ceiling, Setting, missing
from bench.intervals import median_interval
from bench.stopwatch import time_iterations

LABEL = "fresh page"
#: Writing to so much fresh memory takes some 5 ms, against 50 ns to read the clock; and it is measured so often.
SIZE_B = 2**24
ROUNDS = 15


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Seconds of each page fault, which of a huge page is one: filling fresh memory less filling the same again."""
    try:
        import resource
    except ImportError:
        return {"fresh_page_s": missing(LABEL, "s", -1, "This system counts no page faults.")}
    if devices.resolve(setting.device).type != "cpu":
        return {"fresh_page_s": missing(LABEL, "s", -1, "torch keeps the memory of a GPU that tensors leave.")}
    devices.set_threads(setting.threads)
    found = []
    for _ in range(ROUNDS):
        with mmap.mmap(-1, SIZE_B) as memory:
            tensor = torch.frombuffer(memory, dtype=torch.uint8)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            fresh_ns, *again_ns = time_iterations(partial(tensor.fill_, 1), 4)
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
            found.append((fresh_ns - median(again_ns)) / 1e9 / max(faults, 1))
            del tensor
    value, low, high = median_interval(found)
    how = f"fill {SIZE_B >> 20} MiB of fresh memory, less filling it again: {faults} faults"
    return {"fresh_page_s": Ceiling(value, "s", -1, LABEL, low, high, ROUNDS, how=how)}
