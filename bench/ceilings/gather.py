"""Scattered reads of memory: how many places a second when they are known at once, and how long one takes.

Places that do not depend on each other overlap, as in an embedding; where each tells the next, as in a linked list,
nothing overlaps and one takes the memory's latency. Both are beyond the last cache, with a place in every cache line.
"""

import ctypes
from itertools import cycle

import numpy as np
import torch

from bench import devices, units
from bench.ceilings import Ceiling, Setting, bandwidth, missing
from bench.ceilings._race import Contender, as_duration, as_rate, fastest, timed
from bench.stopwatch import Step

#: A row is a cache line: 16 values of fp32.
LINE_B, ROW = 64, 16
#: Places of one call: 16 MiB of rows, some 3 ms, against 10 us to dispatch it.
PLACES = 2**18
#: Links of one walk: at 100 ns each 26 ms.
LINKS = 2**18
#: libstdc++'s reversal of a doubly linked list: it goes from each node to the next, and writes in the line it is in.
_REVERSE = "_ZNSt8__detail15_List_node_base10_M_reverseEv"


def measure(setting: Setting) -> dict[str, Ceiling]:
    """Places a second with all threads, and seconds of one place that depends on the one before (CPU alone)."""
    device = devices.resolve(setting.device)
    devices.set_threads(setting.threads)
    buffers = bandwidth.make_buffers(device)
    rows, how = buffers.a.view(-1, ROW), buffers.how.replace("buffers", "a buffer", 1)
    del buffers
    winner = fastest(_gathers(rows))
    found = {"gather_places_per_s": as_rate(winner, "places/s", "gather, memory", f"{winner.name} of 64 B; {how}")}
    return found | {"load_latency_s": _latency(rows.nbytes, device)}


def _gathers(rows: torch.Tensor) -> dict[str, Contender]:
    """Ways to read rows (n, 16) at random places: each call takes others, so that none is in the cache from before."""
    count = min(PLACES, len(rows))
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0)).to(rows.device)
    parts = [order[at : at + count] for at in range(0, len(order) - count + 1, count)]
    result = torch.empty(count, ROW, device=rows.device)

    def turn(read: "str") -> Step:
        following = cycle(parts)
        if read == "torch.embedding":
            return lambda: torch.embedding(rows, next(following))
        return lambda: torch.index_select(rows, 0, next(following), out=result)

    names = ("torch.embedding", "torch.index_select")
    return {name: Contender(timed(turn(name), rows.device), count) for name in names}


def _latency(size_B: int, device: torch.device) -> Ceiling:
    """Walk through a list whose nodes lie in random order, a line each, by one thread."""
    label = "load, memory"
    if device.type != "cpu":
        return missing(label, "s", -1, "Only the host's memory is walked through.")
    try:
        reverse = getattr(ctypes.CDLL("libstdc++.so.6"), _REVERSE)
    except (OSError, AttributeError):
        return missing(label, "s", -1, "There is no libstdc++ here, whose lists are walked through.")
    reverse.argtypes, reverse.restype = (ctypes.c_void_p,), None
    nodes = np.zeros((size_B // LINE_B, LINE_B // 8), dtype=np.uint64)  # a node is (next, previous) at a line's start
    heads = _link(nodes, min(LINKS, len(nodes)))
    following = cycle(heads)
    walk = timed(lambda: reverse(next(following)), device)
    winner = fastest({"list": Contender(walk, min(LINKS, len(nodes)))})
    how = f"a list of {units.quantity(nodes.nbytes, 'B')} in random order, one thread"
    return as_duration(winner, label, how)


def _link(nodes: "np.ndarray[tuple[int, int], np.dtype[np.uint64]]", links: int) -> list[int]:
    """Make rings of so many nodes each, in random order over all of memory; the addresses of their heads.

    Every walk takes another ring: the one before would still be in the cache.
    """
    order = np.random.default_rng(0).permutation(len(nodes))
    rings = order[: len(order) // links * links].reshape(-1, links)
    address = np.uint64(nodes.ctypes.data) + rings.astype(np.uint64) * np.uint64(LINE_B)
    nodes[rings, 0] = np.roll(address, -1, axis=1)
    nodes[rings, 1] = np.roll(address, 1, axis=1)
    return [int(head) for head in address[:, 0]]
