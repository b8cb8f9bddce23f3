"""Mixtures of two pure parts in known proportions: a clock between the parts, in the process that runs the mixture.

Parts timed apart are no truth: operators are slower after a sleep, and find other caches after a stream.
"""

import time
from collections.abc import Callable
from itertools import pairwise
from random import Random
from statistics import median

import torch

from bench.stopwatch import time_iterations
from tests.known_walls.case import Case, Machine
from tests.known_walls.operators import fast_product
from tests.known_walls.waiting import loaded

Part = Callable[[Machine], Callable[[], object]]
#: A mixture lasts about that long, a part is repeated at least once.
_LENGTH_S = 0.012
#: Iterations that tell the true shares.
_LOOKS = 40


def _compute(_machine: Machine) -> Callable[[], object]:
    return fast_product(768)


def _bandwidth(machine: Machine) -> Callable[[], object]:
    n = machine.last_B // 2  # buffers of twice the last cache
    a, b, c = torch.ones(n), torch.ones(n), torch.ones(n)
    return lambda: torch.add(a, b, alpha=3.0, out=c)


def _dispatch(_machine: Machine) -> Callable[[], object]:
    x = torch.ones(8)

    def step() -> None:
        for _ in range(500):
            x.mul_(1.0)

    return step


def _input(_machine: Machine) -> Callable[[], object]:
    batch = torch.ones(8)

    def make(_index: int) -> torch.Tensor:
        time.sleep(0.004)
        return batch

    batches = loaded(make)
    return lambda: next(batches)


PARTS: dict[str, Part] = {
    "compute": _compute,
    "memory bandwidth": _bandwidth,
    "dispatch": _dispatch,
    "input": _input,
}


def make(first: str, second: str, random: Random, machine: Machine) -> Case:
    """`first` for a share p of the time and `second` for the rest, p drawn from 0.25 to 0.75."""
    wanted = random.uniform(0.25, 0.75)
    steps = [PARTS[name](machine) for name in (first, second)]
    alone = [_alone_s(step) for step in steps]
    counts = [max(round(_LENGTH_S * share / each), 1) for share, each in zip((wanted, 1 - wanted), alone, strict=True)]
    seconds = _within_s(steps, counts)

    def step() -> None:
        for part, count in zip(steps, counts, strict=True):
            for _ in range(count):
                part()

    truth = {name: each / sum(seconds) for name, each in zip((first, second), seconds, strict=True)}
    return Case(step, truth, f"{counts[0]} x {first}, {counts[1]} x {second}")


def _alone_s(step: Callable[[], object]) -> float:
    time_iterations(step, 3)
    return median(time_iterations(step, 15)) / 1e9


def _within_s(steps: list[Callable[[], object]], counts: list[int]) -> list[float]:
    """Median seconds of each part while the mixture runs."""
    seen: list[list[float]] = []
    for _ in range(_LOOKS):
        marks = [time.perf_counter()]
        for part, count in zip(steps, counts, strict=True):
            for _ in range(count):
                part()
            marks.append(time.perf_counter())
        seen.append([end - start for start, end in pairwise(marks)])
    return [median(each) for each in zip(*seen, strict=True)]
