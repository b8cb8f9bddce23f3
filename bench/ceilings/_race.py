"""Which of several contenders is the fastest, and how fast: searched for first, then measured afresh."""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import torch

from bench.ceilings import Ceiling
from bench.interleave import turns
from bench.intervals import median_interval
from bench.stopwatch import OnDevice, Step, time_iterations

#: Runs that many iterations; the seconds of each.
Timed = Callable[[int], list[float]]

#: Rounds of a measurement: the interval of the median is then the 2nd to the 8th of 9 (96 %).
ROUNDS = 9
#: A measurement that takes too long ends here: the least for which a 95 % interval exists.
FEWEST_ROUNDS = 6
#: Rounds of the search, and how many of its best are measured: two that differ by less than the noise both go on.
SEARCH_ROUNDS, FINALISTS = 3, 3
#: A short block is less likely to be disturbed (MEASURING: blocks of about 20 ms pair best); slow steps run once.
BLOCK_S = 0.02
MOST_ITERATIONS = 2_000


@dataclass(frozen=True)
class Contender:
    """One way to do the work: how it is timed, and how much work (FLOP, B, calls) one iteration does.

    `settle_s` passes after each of its turns: how long its library's idle threads disturb whoever is next.
    """

    timed: Timed
    work: float
    settle_s: float = 0.0


@dataclass(frozen=True)
class Winner:
    """The best contender, and work per second in the best iteration of each round."""

    name: str
    rates: list[float]


def timed(step: Step, device: torch.device) -> Timed:
    """Time `step` by the wall clock on the CPU, by the device's own events on CUDA."""
    if device.type != "cuda":
        return lambda iterations: [sample / 1e9 for sample in time_iterations(step, iterations)]
    on_device = OnDevice(step)

    def by_events(iterations: int) -> list[float]:
        on_device.prepare(iterations)
        time_iterations(on_device, iterations)
        return on_device.seconds()

    return by_events


def rounds(contenders: Mapping[str, Contender], count: int, *, limit_s: float = math.inf) -> dict[str, list[float]]:
    """Work per second of each contender in each round; all take turns in random order, so that drift meets all alike.

    After `limit_s` seconds no round begins, except up to `FEWEST_ROUNDS`.
    """
    iterations = {name: _iterations(contender) for name, contender in contenders.items()}
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    order = random.Random(0)  # noqa: S311 - an order, no secret
    for _, name in turns(_in_time(count, limit_s), lambda _: list(contenders), order):
        contender = contenders[name]
        rates[name].append(contender.work / min(contender.timed(iterations[name])))
        time.sleep(contender.settle_s)
    return rates


def _in_time(count: int, limit_s: float) -> Iterator[int]:
    ends = time.monotonic() + limit_s
    for round_ in range(count):
        if round_ >= FEWEST_ROUNDS and time.monotonic() > ends:
            return
        yield round_


def _iterations(contender: Contender) -> int:
    contender.timed(1)  # the first call makes buffers and chooses kernels
    typical_s = min(contender.timed(3))
    time.sleep(contender.settle_s)
    return min(max(round(BLOCK_S / max(typical_s, 1e-9)), 1), MOST_ITERATIONS)


def fastest(contenders: Mapping[str, Contender], *, limit_s: float = 3.0) -> Winner:
    """Search all contenders, then measure the best few anew: the best of many noisy samples would be too good.

    Raises ValueError where there is no contender.
    """
    finalists = dict(contenders)
    if len(contenders) > FINALISTS:
        searched = rounds(contenders, SEARCH_ROUNDS)
        ranked = sorted(contenders, key=lambda name: max(searched[name]), reverse=True)
        finalists = {name: contenders[name] for name in ranked[:FINALISTS]}
    found = rounds(finalists, ROUNDS, limit_s=limit_s)
    best = max(found, key=lambda name: median(found[name]))
    return Winner(best, found[best])


def as_rate(winner: Winner, unit: str, label: str, how: str) -> Ceiling:
    """The winner's work per second, in `unit`."""
    value, low, high = median_interval(winner.rates)
    return Ceiling(value, unit, 1, label, low, high, len(winner.rates), how=how)


def as_duration(winner: Winner, label: str, how: str) -> Ceiling:
    """Seconds for one unit of the winner's work."""
    value, low, high = median_interval([1 / rate for rate in winner.rates])
    return Ceiling(value, "s", -1, label, low, high, len(winner.rates), how=how)
