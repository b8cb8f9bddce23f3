"""Read, copy and triad bandwidth of the memory, and read bandwidth of each cache.

Bytes are counted as STREAM does (McCalpin, 1995): read n, copy 2 n, triad 3 n; a store that first fetches its line
moves more than that and is not credited for it. Each operation is done in the ways that were found to be fast, and
the best counts. What limits the triad is that torch stores through the cache: each line is fetched before it is
overwritten.
"""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from bench import devices, host, units
from bench.ceilings import Ceiling, Setting, _caches
from bench.ceilings._race import Contender, as_rate, fastest, timed
from bench.errors import Unsupported
from bench.stopwatch import Step

#: STREAM's rule: an array is at least four times the last cache, so that hardly a byte of it is found there.
TIMES_CACHE = 4
#: Where the cache's size is not known, a buffer larger than four times most processors' cache.
UNKNOWN_CACHE_B = 2**28
#: Share of the memory that is free now which the three buffers of the triad may take together.
MOST_OF_MEMORY = 0.5
#: Work of a step that reads a cache: a hundred dispatches of 1 us are 0.1 % of the 100 ms that it lasts at 2 GB/s.
CACHE_WORK_B = 2**28
#: A huge page: parts of buffers then begin on one.
ALIGN_B = 2**21
#: At 100 GB/s it lasts 0.7 ms, against some 50 us to hand the parts to threads.
SMALLEST_B = 2**26


@dataclass(frozen=True)
class Buffers:
    """Three buffers of equal size (n,) in fp32, the first two all ones; `how` tells their size."""

    a: Tensor
    b: Tensor
    result: Tensor
    how: str

    @property
    def size_B(self) -> int:
        """Bytes of one of them."""
        return self.a.nbytes


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Bytes a second of read, copy and triad beyond the last cache, and of reading each cache (CPU alone)."""
    device = devices.resolve(setting.device)
    devices.set_threads(setting.threads)
    found = {}
    with ThreadPoolExecutor(setting.threads) as pool:
        buffers = make_buffers(device)
        for name, make in (("read", reads), ("copy", copies), ("triad", triads)):
            winner = fastest(make(buffers, setting, pool))
            found[f"{name}_B_per_s"] = as_rate(winner, "B/s", f"{name}, memory", f"{winner.name}; {buffers.how}")
    del buffers
    if device.type == "cpu":
        found |= {
            f"read_L{level}_B_per_s": _read_cache(level, size, setting) for level, size in _caches.sizes_B().items()
        }
    return found


def _last_cache_B(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    sizes = _caches.sizes_B()
    return sizes[max(sizes)] if sizes else None


def _available_B(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else host.available_memory_B()


def make_buffers(device: torch.device) -> Buffers:
    """Buffers of four times the last cache, or as large as memory allows; `Unsupported` below `SMALLEST_B`."""
    cache = _last_cache_B(device)
    wanted = max(TIMES_CACHE * (cache or UNKNOWN_CACHE_B), SMALLEST_B)
    allowed = int(_available_B(device) * MOST_OF_MEMORY / 3)
    size = -(-min(wanted, allowed) // ALIGN_B) * ALIGN_B
    if allowed < SMALLEST_B:
        raise Unsupported(f"Only {units.quantity(_available_B(device), 'B')} of memory are free.")
    how = f"buffers of {units.quantity(size, 'B')}"
    how += f", {size / cache:.2g} x the last cache" if cache else "; the size of the caches is not known"
    how += " (memory allows no more)" if allowed < wanted else ""
    return Buffers(_filled(size, device), _filled(size, device), _filled(size, device), how)


def _filled(size_B: int, device: torch.device) -> Tensor:
    if device.type != "cpu":
        return torch.ones(size_B // 4, device=device)
    # numpy asks the kernel for huge pages, torch does not; all threads fill it
    return torch.from_numpy(np.empty(size_B // 4, dtype=np.float32)).fill_(1.0)


def reads(buffers: Buffers, setting: Setting, pool: ThreadPoolExecutor) -> dict[str, Contender]:
    """Ways to read one buffer: torch's reductions, and the C library's memcmp of each thread's two halves."""
    a = buffers.a
    doubles = a.view(torch.float64)
    # which is fastest differs between makes of processors
    steps: dict[str, Step] = {"vector_norm": lambda: torch.linalg.vector_norm(a), "torch.sum": lambda: torch.sum(a)}
    if a.device.type == "cpu":
        steps["torch.dot"] = lambda: torch.dot(doubles, doubles)
        steps["memcmp"] = _on_each(pool, setting.threads, buffers.size_B // 2, _compare(a))
    return {name: Contender(timed(step, a.device), buffers.size_B) for name, step in steps.items()}


def _compare(a: Tensor) -> Callable[[int, int], object]:
    """Compare n bytes at an offset with their peers in the other half: equal to the end, since all of `a` is ones."""
    memcmp = ctypes.CDLL(None).memcmp  # ctypes lets go of the interpreter's lock meanwhile
    memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    first = a.data_ptr()
    second = first + a.nbytes // 2
    return lambda offset, n: memcmp(first + offset, second + offset, n)


def _on_each(pool: ThreadPoolExecutor, threads: int, size_B: int, work: Callable[[int, int], object]) -> Step:
    """A step that gives each thread an equal part (offset, bytes) of `size_B`."""
    offsets = [part * size_B // threads for part in range(threads + 1)]
    lengths = [after - before for before, after in pairwise(offsets)]
    return lambda: list(pool.map(work, offsets, lengths))


def copies(buffers: Buffers, setting: Setting, pool: ThreadPoolExecutor) -> dict[str, Contender]:
    """Ways to copy: torch's, and numpy's in threads, which ends in a memcpy that stores around the cache."""
    a, result = buffers.a, buffers.result
    steps: dict[str, Step] = {"Tensor.copy_": lambda: result.copy_(a)}
    if a.device.type == "cpu":
        source, target = a.numpy().view(np.uint8), result.numpy().view(np.uint8)

        def part(offset: int, n: int) -> None:
            np.copyto(target[offset : offset + n], source[offset : offset + n])

        steps["numpy.copyto in threads"] = _on_each(pool, setting.threads, buffers.size_B, part)
    return {name: Contender(timed(step, a.device), 2 * buffers.size_B) for name, step in steps.items()}


def triads(buffers: Buffers, _setting: Setting, _pool: ThreadPoolExecutor) -> dict[str, Contender]:
    """a + 3 b into the third buffer."""
    a, b, result = buffers.a, buffers.b, buffers.result
    step = timed(lambda: torch.add(a, b, alpha=3.0, out=result), a.device)
    return {"torch.add": Contender(step, 3 * buffers.size_B)}


def _read_cache(level: int, size_B: int, setting: Setting) -> Ceiling:
    """Read half of a cache again and again: an expanded view repeats the buffer inside one call, without a copy."""
    buffer = _filled(size_B // 2, torch.device("cpu"))
    repeats = max(CACHE_WORK_B // buffer.nbytes // setting.threads, 1) * setting.threads  # each thread has as many
    work = float(repeats * buffer.nbytes)
    many = buffer.expand(repeats, -1)  # (repeats, n) of stride (0, 1)
    many_whole = buffer.view(torch.int64).expand(repeats, -1)
    cpu = torch.device("cpu")
    steps: dict[str, Step] = {
        "torch.sum of fp32": lambda: torch.sum(many, 1),
        "torch.sum of int64": lambda: torch.sum(many_whole, 1),
        "vector_norm": lambda: torch.linalg.vector_norm(many, dim=1),
    }
    winner = fastest({name: Contender(timed(step, cpu), work) for name, step in steps.items()}, limit_s=1.0)
    how = f"{winner.name}; a buffer of {units.quantity(buffer.nbytes, 'B')}, read by each thread"
    return as_rate(winner, "B/s", f"read, L{level} cache", how)
