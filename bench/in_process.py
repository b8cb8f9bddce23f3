"""One function, or two against each other, timed in blocks within this process: what the pytest fixture does.

A process has its own addresses and its own moment, and its blocks share them. So an interval over them says how well
the time in this process is known, and nothing of other processes; for that, `pinchpoint ab` starts fresh ones.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

from bench import gate
from bench.gate import Estimate, Limit, Outcome
from bench.intervals import median_interval, quantile
from bench.stopwatch import Step, time_iterations
from bench.warmup import warm_up

#: Longer blocks let the machine drift within a pair: the spread of a ratio was 2 to 10 times as wide at 0.1 to 0.4 s.
BLOCK_S = 0.02
MOST_ITERATIONS = 10_000
#: Each function may use this share of the budget to settle.
WARMUP_SHARE = 0.125
#: Of identical programs the ratio of lower quartiles varies least (`bench.stopping.log_ratios`).
_QUARTILE = 0.25

Clock = Callable[[], float]
Code = Literal["above_margin", "below_limit", "between", "few_pairs"]


@dataclass(frozen=True)
class Times:
    """The blocks of one function, of `iterations` each: mean and median time of an iteration in each block, in s.

    `overhead_s` is what an iteration of nothing takes; `steady` is as `bench.warmup.Warmup` has it.
    """

    iterations: int
    means_s: tuple[float, ...]
    medians_s: tuple[float, ...]
    overhead_s: float
    steady: bool | None

    @property
    def interval(self) -> tuple[float, float | None, float | None]:
        """The median over blocks and its distribution-free 95 % interval within this process, in s (None: n < 6)."""
        return median_interval(self.medians_s)

    @property
    def too_short(self) -> bool:
        """Whether reading the clock is a part of the time that matters."""
        return self.overhead_s > gate.MOST_OVERHEAD * median(self.medians_s)


@dataclass(frozen=True)
class Paired:
    """New against old, from pairs of blocks in random order. `estimate` is of ln(new / old), over `groups` values of
    `pairs_per_group` pairs each."""

    new: Times
    old: Times
    outcome: Outcome
    code: Code
    estimate: Estimate
    pairs_per_group: int

    @property
    def groups(self) -> int:
        """Independent values that the answer rests on."""
        return self.estimate.pairs


def alone(step: Step, budget_s: float, clock: Clock = time.perf_counter) -> Times:
    """Time `step` in blocks for the budget, warm-up included; one block at least."""
    ends = clock() + budget_s
    made = _Function(step, budget_s)
    made.block()
    while clock() + made.block_s < ends:
        made.block()
    return made.times()


def against(
    new: Step, old: Step, budget_s: float, limit: Limit, seed: str = "", clock: Clock = time.perf_counter
) -> Paired:
    """Time both in pairs of blocks until `new` is surely slower than the margin or surely within the limit.

    Pairs are grouped so that the last of the looks (`bench.gate.LOOKS`) falls at the end of the budget, and each look
    spends its part of alpha, so that an alarm is false in one run of a hundred at most.
    """
    ends = clock() + budget_s
    both = _Function(new, budget_s), _Function(old, budget_s)
    order = random.Random(seed)  # noqa: S311 - no secret depends on it
    pair_s = both[0].block_s + both[1].block_s
    size = max(int((ends - clock()) / pair_s) // gate.LOOKS[-1], 1)
    values: list[float] = []
    for look in gate.LOOKS:
        while len(values) < look and (not values or clock() + size * pair_s < ends):
            values.append(median(_pair(both, order) for _ in range(size)))
        outcome, code = _decide(values, limit)
        if outcome != "undecided" or len(values) < look:
            break
    estimate = gate.estimate(values, gate.look_alpha())
    return Paired(both[0].times(), both[1].times(), outcome, code, estimate, size)


def _decide(values: Sequence[float], limit: Limit) -> tuple[Outcome, Code]:
    alpha = gate.look_alpha()
    if gate.estimate(values, alpha).low is None:
        return "undecided", "few_pairs"
    outcome = gate.outcomes({"new": values}, {"new": limit}, alpha)["new"]
    codes: dict[Outcome, Code] = {"fail": "above_margin", "pass": "below_limit", "undecided": "between"}
    return outcome, codes[outcome]


def _pair(both: "tuple[_Function, _Function]", order: random.Random) -> float:
    """ln(new / old) of one block of each; which goes first is left to chance, so that no order favours either."""
    if order.random() < 0.5:
        new, old = both[0].block(), both[1].block()
    else:
        old, new = both[1].block(), both[0].block()
    return math.log(new / old)


class _Function:
    """A function that has been warmed up, and its blocks so far."""

    def __init__(self, step: Step, budget_s: float) -> None:
        self._step = step
        warmed = warm_up(lambda n: time_iterations(step, n), WARMUP_SHARE * budget_s)
        self._steady = warmed.steady
        self._iterations = min(max(round(BLOCK_S / max(warmed.iteration_s, 1e-9)), 1), MOST_ITERATIONS)
        self.block_s = self._iterations * warmed.iteration_s
        self._means_s: list[float] = []
        self._medians_s: list[float] = []

    def block(self) -> float:
        """Run one block; the lower quartile of its iterations in s, above 0 even where the clock stood still."""
        samples = time_iterations(self._step, self._iterations)
        self._means_s.append(max(fmean(samples), 0.5) / 1e9)
        self._medians_s.append(max(median(samples), 0.5) / 1e9)
        return max(quantile(samples, _QUARTILE), 0.5) / 1e9

    def times(self) -> Times:
        """What the blocks told."""
        overhead_s = median(time_iterations(lambda: None, 1000)) / 1e9
        return Times(self._iterations, tuple(self._means_s), tuple(self._medians_s), overhead_s, self._steady)
