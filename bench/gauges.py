"""How fast each resource of the machine is at this moment: short measurements in a resident child, one a resource.

They are not the ceilings: each does one thing in one way, quickly, so that the same thing can be measured with an
intervention and without it within moments. Only the ratio of the two is of use, and only ratios are kept.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle

import torch

from bench import conditions, devices
from bench.ceilings import _caches
from bench.ceilings._race import Timed, timed
from bench.intervals import quantile
from bench.interventions import Conditions
from bench.stopwatch import Step

#: Each resource is looked at for so long, after a third of that untimed: threads and caches were another's before.
BLOCK_S = 0.004
_MOST_ITERATIONS = 1_000

#: Sides of the product: its operands (3 x 576 KiB in fp32) stay in a second-level cache, or in the third.
_SIDE = 384
#: The buffer is so many times the last cache, and read in pieces of so many bytes, so that a piece is gone from the
#: cache when its turn comes again.
_TIMES_CACHE, _UNKNOWN_CACHE_B, _PIECE_B = 4, 2**26, 2**24
#: Bytes that a step reads from a cache, again and again.
_CACHE_WORK_B = 2**24
_UNKNOWN_L2_B = 2**19
#: A row is one line of the cache; a step reads so many at random, and so many steps are different (128 MiB of lines).
_ROW_B, _PLACES, _DRAWS = 64, 4096, 512
#: Calls of an empty operator in a step.
_CALLS = 100


@dataclass(frozen=True)
class _Gauge:
    """How it is timed, and what one step does (FLOP, B, places, calls); `iterations` make a block."""

    timed: Timed
    work: float
    iterations: int


class Gauges:
    """Everything that is needed to look at each resource, made once."""

    def __init__(self, device: str, threads: int) -> None:
        self._device = devices.resolve(device)
        torch.set_num_threads(threads)
        sizes = _caches.sizes_B()
        last = sizes[max(sizes)] if sizes else _UNKNOWN_CACHE_B
        torch.manual_seed(0)
        self._buffer = torch.ones(_TIMES_CACHE * last // 4, device=self._device)
        self._cached = torch.ones(sizes.get(2, _UNKNOWN_L2_B) // 2 // 8, dtype=torch.int64, device=self._device)
        self._gauges = dict(self._make())

    def rates(self, under: Conditions) -> dict[str, float]:
        """Work a second of each resource, from the lower quartile of a block of steps, in random order."""
        found = {}
        with conditions.machine(under), torch.inference_mode():
            order = list(self._gauges)
            random.shuffle(order)
            for name in order:
                gauge = self._gauges[name]
                if name == "dispatch" and under.extra_share:
                    gauge = self._dispatch(under.extra_share)
                gauge.timed(max(gauge.iterations // 3, 1))
                found[name] = gauge.work / quantile(gauge.timed(gauge.iterations), 0.25)
        return found

    def _make(self) -> Iterator[tuple[str, _Gauge]]:
        left, right = (torch.randn(_SIDE, _SIDE, device=self._device) for _ in range(2))
        result = torch.empty(_SIDE, _SIDE, device=self._device)
        with torch.inference_mode():
            yield "compute", self._gauge(lambda: torch.mm(left, right, out=result), 2.0 * _SIDE**3)
            piece = min(_PIECE_B // 4, len(self._buffer))
            pieces = cycle(self._buffer[: len(self._buffer) // piece * piece].view(-1, piece).unbind())
            yield "memory bandwidth", self._gauge(lambda: torch.sum(next(pieces)), 4.0 * piece)
            repeats = max(_CACHE_WORK_B // self._cached.nbytes, 1)
            many = self._cached.expand(repeats, -1)  # (repeats, n) of stride (0, 1): no copy
            yield "cache", self._gauge(lambda: torch.sum(many, 1), float(repeats * self._cached.nbytes))
            rows = self._buffer.view(-1, _ROW_B // 4)  # (n, 16)
            half = len(rows) // 2
            draw = torch.randint(half, (_PLACES,), device=self._device)
            into = torch.empty(_PLACES, _ROW_B // 4, device=self._device)
            # the same places of another half each time: the indices are at hand, the rows are not
            halves = cycle([rows[place : place + half] for place in torch.randint(half, (_DRAWS,)).tolist()])
            gather = self._gauge(lambda: torch.index_select(next(halves), 0, draw, out=into), float(_PLACES))
            yield "memory latency", gather
            yield "dispatch", self._dispatch(0.0)

    def _dispatch(self, extra_share: float) -> _Gauge:
        """Calls that are of use, while `extra_share` of them for each are not."""
        call, calls = conditions.empty_operator(self._device), round(_CALLS * (1 + extra_share))

        def step() -> None:
            for _ in range(calls):
                call()

        by_the_host = timed(step, torch.device("cpu"))  # on CUDA a launch waits for no result
        return _with_block(by_the_host, float(_CALLS))

    def _gauge(self, step: Step, work: float) -> _Gauge:
        return _with_block(timed(step, self._device), work)


@cache
def of(device: str, threads: int) -> Gauges:
    """Those of this process, made when they are first asked for."""
    return Gauges(device, threads)


def _with_block(by: Timed, work: float) -> _Gauge:
    by(1)  # makes buffers, chooses kernels
    typical_s = min(by(3))
    return _Gauge(by, work, min(max(round(BLOCK_S / max(typical_s, 1e-9)), 3), _MOST_ITERATIONS))
